"""The app of the commands that run the site."""

from django.apps import AppConfig

__all__ = ["OperationsConfig"]


class OperationsConfig(AppConfig):
    """Commands of ``ecglens manage``: backup, restore and workers."""

    name = "ecglens.web.operations"
    label = "operations"
