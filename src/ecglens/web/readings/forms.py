"""Forms for uploads, corrections and the search in the history."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from ecglens.errors import EcgLensError
from ecglens.extras import is_installed
from ecglens.layouts import LAYOUTS
from ecglens.models.registry import AUTO, list_models
from ecglens.web.readings.refusals import build_corrections

__all__ = ["BatchForm", "ChangeForm", "FilesField", "LeadsForm", "PageForm", "SearchForm", "UploadForm"]

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


class PageForm(forms.Form):
    """Corrections of a page by hand: corners, rotation and layout."""

    corners = forms.CharField(required=False, max_length=200)
    rotation = forms.FloatField(required=False, min_value=-360, max_value=360)
    layout = forms.ChoiceField(required=False, choices=[("", ""), *((name, name) for name in LAYOUTS)])

    def clean(self) -> dict[str, Any]:
        """Add the corrections by hand."""
        fields: dict[str, Any] = super().clean() or {}
        parts = fields.get("corners") or "", fields.get("rotation") or 0.0, fields.get("layout") or ""
        try:
            fields["corrections"] = build_corrections(*parts)
        except (ValueError, EcgLensError) as error:
            text = _("Expected four corners, a rotation and a layout of the list, got others; correct them again.")
            raise forms.ValidationError(text, code="corrections") from error
        return fields


class LeadsForm(forms.Form):
    """Corrections of the leads of a page by hand."""

    speed = forms.FloatField(required=False, min_value=5, max_value=200)
    gain = forms.FloatField(required=False, min_value=1, max_value=80)
    ruler_px = forms.FloatField(required=False, min_value=1, max_value=100_000)
    ruler_mm = forms.FloatField(required=False, min_value=1, max_value=1000)
    traces = forms.CharField(required=False, max_length=200_000)
    boxes = forms.CharField(required=False, max_length=20_000)


class UploadForm(PageForm):
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
    replaces = forms.UUIDField(required=False)

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
    other = forms.CharField(required=False, max_length=60)

    def find_label(self) -> str:
        """Return the label that was written, or else the one that was chosen."""
        return str(self.cleaned_data["other"] or self.cleaned_data["corrected"])


class SearchForm(forms.Form):
    """Criteria for a search in the history; invalid ones are ignored."""

    q = forms.CharField(required=False, max_length=200)
    label = forms.CharField(required=False, max_length=60)
    outcome = forms.CharField(required=False, max_length=20)
    state = forms.CharField(required=False, max_length=10)
    start = forms.DateField(required=False)
    end = forms.DateField(required=False)
    batch = forms.UUIDField(required=False)
