"""The app of cases."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["CasesConfig"]


class CasesConfig(AppConfig):
    """Cases with their readings, links that show them, and reviews."""

    name = "ecglens.web.cases"
    label = "cases"
    verbose_name = _("Cases")
