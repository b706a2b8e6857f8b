"""The app of what all pages of the site share."""

from django.apps import AppConfig

__all__ = ["ProjectConfig"]


class ProjectConfig(AppConfig):
    """Templates and static files of the site itself."""

    name = "ecglens.web.project"
    label = "project"
