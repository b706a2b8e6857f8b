"""Names of options in version 0.1.0, which are still accepted."""

__all__ = ["accept_old_name"]

_NEW_NAMES = {"licence": "license"}  # codespell:ignore licence


def accept_old_name(name: str) -> str:
    """Return the present name of an option; Click calls this with each name, without its dashes."""
    return _NEW_NAMES.get(name, name)
