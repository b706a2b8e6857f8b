"""Commands of the site, run with ``ecglens manage``."""
