"""The app of the commands that run the site."""

from django.apps import AppConfig

from ecglens.settings import load_settings

__all__ = ["OperationsConfig"]


class OperationsConfig(AppConfig):
    """Commands of ``ecglens manage``: backup, restore and workers."""

    name = "ecglens.web.operations"
    label = "operations"

    def ready(self) -> None:
        """Check the settings of this app.

        Raises:
            SettingsError: One cannot be used.
        """
        from ecglens.web.operations.metrics import check_metrics_token

        check_metrics_token(load_settings().metrics_token)
