"""Typed settings, read from the environment with the prefix ``ECGLENS_`` and from ``.env``."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ecglens.errors import SettingsError

__all__ = ["Settings", "load_settings"]


class Settings(BaseSettings):
    """Every setting of ecglens; no setting is read anywhere else."""

    model_config = SettingsConfigDict(env_prefix="ECGLENS_", env_file=".env", extra="ignore", frozen=True)

    model: str = "compact_cnn"
    """Name or folder of the model that answers when none is named."""

    models_dir: Path = Path.home() / ".local" / "share" / "ecglens" / "models"
    """Folder whose subfolders are models that can be used by name, beside the shipped ones."""

    cache_dir: Path = Path.home() / ".cache" / "ecglens"
    """Folder of pages that training has prepared."""

    max_megapixels: Annotated[float, Field(gt=0)] = 100.0
    """Pages above this are refused before they are decoded."""

    max_upload_mb: Annotated[float, Field(gt=0)] = 25.0
    """Uploads above this are refused by the web page."""

    secret_key: str = ""
    """Key that signs the web page's cookies and forms; made anew at each start when empty."""

    allowed_hosts: str = "localhost,127.0.0.1,[::1]"
    """Host names that the web page answers to, separated by commas."""

    debug: bool = False
    """Show technical detail on error pages; never on a machine that others reach."""


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings once.

    Raises:
        SettingsError: A variable has a value of the wrong kind.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "ECGLENS_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"Setting {name} cannot be used: {first['msg']}.") from error
