"""The app of installed models."""

from django.apps import AppConfig

__all__ = ["CatalogConfig"]


class CatalogConfig(AppConfig):
    """The installed models with their evaluations."""

    name = "ecglens.web.catalog"
    label = "catalog"
