"""The app of the REST API."""

from django.apps import AppConfig

__all__ = ["ApiConfig"]


class ApiConfig(AppConfig):
    """Operations for programs."""

    name = "ecglens.web.api"
    label = "api"
