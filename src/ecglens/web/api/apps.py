"""The app of the REST API."""

from django.apps import AppConfig

__all__ = ["ApiConfig"]


class ApiConfig(AppConfig):
    """Programs' way in."""

    name = "ecglens.web.api"
    label = "api"
