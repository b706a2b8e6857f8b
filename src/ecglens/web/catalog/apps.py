"""The app of installed models."""

from django.apps import AppConfig

__all__ = ["CatalogConfig"]


class CatalogConfig(AppConfig):
    """What is installed, and how good it is."""

    name = "ecglens.web.catalog"
    label = "catalog"
