"""Forms for uploads, corrections and the search in the history."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from ecglens.extras import is_installed
from ecglens.models.registry import AUTO, list_models

__all__ = ["BatchForm", "ChangeForm", "FilesField", "SearchForm", "UploadForm"]

_NO_FILE = _("Expected a file, got none; choose a photo, scan or PDF of an ECG.")


class _FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or many files."""

    widget = _FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """Check each file as Django checks one."""
        files = data if isinstance(data, list | tuple) and data else [data or None]
        return [forms.FileField.clean(self, each, initial) for each in files]


class UploadForm(forms.Form):
    """Files with the number of the page, the models, and the options for print and explanations."""

    file = FilesField(allow_empty_file=True, error_messages={"required": _NO_FILE})
    page = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=9999,
        error_messages={
            "invalid": _("Expected a page number, got something else; write it in digits."),
            "min_value": _("Expected a page number from 1, got a smaller one; pages count from 1."),
            "max_value": _("Expected a page number up to 9999, got a larger one; write a smaller one."),
        },
    )
    models = forms.MultipleChoiceField(required=False)
    printed = forms.BooleanField(required=False)
    explain = forms.BooleanField(required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        models: Any = self.fields["models"]
        models.choices = [(AUTO, AUTO), *((card.name, card.title) for card in list_models())]
        models.error_messages["invalid_choice"] = _("Expected an installed model, got “%(value)s”; choose another.")

    def clean_file(self) -> list[Any]:
        """Refuse files above the limit."""
        files: list[Any] = self.cleaned_data["file"]
        for file in files:
            limit = self.max_bytes(file)
            if file.size > limit:
                text = _("Expected a file of at most %(limit)s MB, got a larger one; choose a smaller file.")
                raise forms.ValidationError(text, code="size", params={"limit": f"{limit / 1024**2:g}"})
        return files

    def max_bytes(self, file: Any) -> int:
        """Return the largest allowed size of a file."""
        return int(settings.MAX_UPLOAD_BYTES)

    def clean_printed(self) -> bool:
        """Ignore the option where print cannot be read."""
        return bool(self.cleaned_data["printed"]) and is_installed("rapidocr")

    def first_error(self) -> tuple[str, int]:
        """Return the first error's sentence, and the HTTP status for it."""
        error = next(iter(self.errors.as_data().values()))[0]
        return str(next(iter(error.messages))), 413 if error.code == "size" else 400


class BatchForm(UploadForm):
    """A ZIP or many files, with a name."""

    name = forms.CharField(required=False, max_length=200)

    def max_bytes(self, file: Any) -> int:
        """Return the largest allowed size of a file, which is larger for a ZIP than for a page."""
        return int(settings.MAX_BATCH_BYTES) if file.name.lower().endswith(".zip") else super().max_bytes(file)


class ChangeForm(forms.Form):
    """A note, and the label that the owner assigns."""

    note = forms.CharField(required=False, max_length=4000, strip=True)
    corrected = forms.CharField(required=False, max_length=60)


class SearchForm(forms.Form):
    """Criteria for a search in the history; invalid ones are ignored."""

    q = forms.CharField(required=False, max_length=200)
    label = forms.CharField(required=False, max_length=60)
    outcome = forms.CharField(required=False, max_length=20)
    state = forms.CharField(required=False, max_length=10)
    start = forms.DateField(required=False)
    end = forms.DateField(required=False)
    batch = forms.UUIDField(required=False)
