"""Optional dependencies: imported where they are used, by one function whose error names the extra to install."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from ecglens.errors import MissingExtraError

__all__ = ["is_installed", "require"]


def is_installed(module: str) -> bool:
    """Return whether an optional dependency is installed, without importing it.

    Args:
        module: Name of the module, without a dot.
    """
    return find_spec(module) is not None


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: Dotted name of the module, such as ``"matplotlib.figure"``.
        extra: The extra of ecglens that installs it.

    Returns:
        The imported module.

    Raises:
        MissingExtraError: The module is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"This needs {package}, which is not installed; install it with: pip install 'ecglens[{extra}]'"
        ) from error
