"""What an upload must be, and what can be asked of the history."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from ecglens.extras import installed
from ecglens.models.registry import list_models

__all__ = ["BatchForm", "ChangeForm", "FilesField", "SearchForm", "UploadForm"]

_NO_FILE = _("Expected a file, found none; choose a photo, scan or PDF of an ECG.")


class _FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or many files."""

    widget = _FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """Each file as Django checks one."""
        files = data if isinstance(data, list | tuple) and data else [data or None]
        return [forms.FileField.clean(self, each, initial) for each in files]


class UploadForm(forms.Form):
    """Files, which page of them, which models, whether the print is read too and whether the answer is explained."""

    file = FilesField(allow_empty_file=True, error_messages={"required": _NO_FILE})
    page = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=9999,
        error_messages={
            "invalid": _("Expected a page number, found something else; write it in digits."),
            "min_value": _("Expected a page number from 1, found a smaller one; pages count from 1."),
            "max_value": _("Expected a page number up to 9999, found a larger one; write a smaller one."),
        },
    )
    models = forms.MultipleChoiceField(required=False)
    printed = forms.BooleanField(required=False)
    explain = forms.BooleanField(required=False)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        chosen: Any = self.fields["models"]
        chosen.choices = [(card.name, card.title) for card in list_models()]
        chosen.error_messages["invalid_choice"] = _(
            "Expected a model that is installed, found “%(value)s”; choose another."
        )

    def clean_file(self) -> list[Any]:
        """Refuse files above the limit."""
        files: list[Any] = self.cleaned_data["file"]
        for file in files:
            most = self.most_bytes(file)
            if file.size > most:
                text = _("Expected a file of at most %(limit)s MB, found a larger one; choose a smaller file.")
                raise forms.ValidationError(text, code="size", params={"limit": f"{most / 1024**2:g}"})
        return files

    def most_bytes(self, file: Any) -> int:
        """How large a file may be."""
        return int(settings.MAX_UPLOAD_BYTES)

    def clean_printed(self) -> bool:
        """Print is read only where that can be done."""
        return bool(self.cleaned_data["printed"]) and installed("rapidocr")

    def first_error(self) -> tuple[str, int]:
        """The first sentence to show, and the status that goes with it."""
        error = next(iter(self.errors.as_data().values()))[0]
        return str(next(iter(error.messages))), 413 if error.code == "size" else 400


class BatchForm(UploadForm):
    """A ZIP or many files, with a name."""

    name = forms.CharField(required=False, max_length=200)

    def most_bytes(self, file: Any) -> int:
        """A ZIP may have more than a page."""
        return int(settings.MAX_BATCH_BYTES) if file.name.lower().endswith(".zip") else super().most_bytes(file)


class ChangeForm(forms.Form):
    """A note, and the label that the owner gives."""

    note = forms.CharField(required=False, max_length=4000, strip=True)
    corrected = forms.CharField(required=False, max_length=60)


class SearchForm(forms.Form):
    """What to look for in the history; what cannot be used is left out."""

    q = forms.CharField(required=False, max_length=200)
    label = forms.CharField(required=False, max_length=60)
    state = forms.CharField(required=False, max_length=10)
    start = forms.DateField(required=False)
    end = forms.DateField(required=False)
    batch = forms.UUIDField(required=False)
