"""Forms of cases and reviews."""

from django import forms

from ecglens.web.cases.models import NOTE_CHARS, PSEUDONYM_CHARS
from ecglens.web.cases.shares import LONGEST_DAYS

__all__ = ["CaseForm", "MembershipForm", "ReviewForm", "ShareForm"]

_LABEL_CHARS = 60


class CaseForm(forms.Form):
    """Pseudonym and note of a case."""

    pseudonym = forms.CharField(max_length=2 * PSEUDONYM_CHARS, required=False)
    note = forms.CharField(max_length=2 * NOTE_CHARS, required=False)


class MembershipForm(forms.Form):
    """Day and tags of a recording."""

    recorded_on = forms.DateField(required=False)
    tags = forms.CharField(max_length=1000, required=False)


class ShareForm(forms.Form):
    """Days until a link expires."""

    days = forms.IntegerField(min_value=1, max_value=LONGEST_DAYS)


class ReviewForm(forms.Form):
    """Label, statements and comment of a review."""

    label = forms.CharField(max_length=_LABEL_CHARS, required=False)
    other = forms.CharField(max_length=_LABEL_CHARS, required=False)
    text = forms.CharField(max_length=2 * NOTE_CHARS, required=False)

    def find_label(self) -> str:
        """Return the label that was written, or else the one that was chosen."""
        return str(self.cleaned_data["other"] or self.cleaned_data["label"])
