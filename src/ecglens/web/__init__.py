"""The web page: upload a page of an ECG, see what was read from it. Nothing of an upload is kept."""
