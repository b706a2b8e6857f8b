"""What an upload must be."""

from typing import Any

from django import forms
from django.conf import settings

from ecglens.extras import installed

__all__ = ["UploadForm"]


class UploadForm(forms.Form):
    """One file, which of its pages, whether its print is read too and whether the answer is explained."""

    file = forms.FileField(
        allow_empty_file=True,
        error_messages={"required": "Expected a file, found none; choose a photo, scan or PDF of an ECG."},
    )
    page = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=9999,
        error_messages={
            "invalid": "Expected a page number, found something else; write it in digits.",
            "min_value": "Expected a page number from 1, found a smaller one; pages count from 1.",
            "max_value": "Expected a page number up to 9999, found a larger one; write a smaller one.",
        },
    )

    printed = forms.BooleanField(required=False)
    explain = forms.BooleanField(required=False)

    def clean_file(self) -> Any:
        """Refuse a file above the limit."""
        file = self.cleaned_data["file"]
        if file.size > settings.MAX_UPLOAD_BYTES:
            limit = settings.MAX_UPLOAD_BYTES / 1024**2
            raise forms.ValidationError(
                f"Expected a file of at most {limit:g} MB, found a larger one; choose a smaller file.", code="size"
            )
        return file

    def clean_printed(self) -> bool:
        """Print is read only where that can be done."""
        return bool(self.cleaned_data["printed"]) and installed("rapidocr")

    def first_error(self) -> tuple[str, int]:
        """The first sentence to show, and the status that goes with it."""
        error = next(iter(self.errors.as_data().values()))[0]
        return next(iter(error.messages)), 413 if error.code == "size" else 400
