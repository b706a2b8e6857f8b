"""The app of what all pages share."""

from django.apps import AppConfig

__all__ = ["ProjectConfig"]


class ProjectConfig(AppConfig):
    """Templates, static files and commands of the site itself."""

    name = "ecglens.web.project"
    label = "project"
