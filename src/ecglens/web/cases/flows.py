"""Actions on cases and reviews; the site's pages and the API share them."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ecglens.criteria.table import load_criteria
from ecglens.statements import Outcome
from ecglens.web.accounts.models import User
from ecglens.web.cases.models import NOTE_CHARS, PSEUDONYM_CHARS, Case, Membership, Review
from ecglens.web.readings.facts import find_statements
from ecglens.web.readings.flows import Refused, update_reading
from ecglens.web.readings.models import Reading

__all__ = [
    "MAX_READINGS",
    "add_readings",
    "change_case",
    "create_case",
    "find_next_to_review",
    "list_to_review",
    "review_reading",
    "split_tags",
    "update_membership",
]

MAX_READINGS = 500
"""Readings of a case; a person with one ECG a week has as many in ten years."""
_MAX_CASES = 5000
_MAX_TAGS, _TAG_CHARS = 10, 40
_OLDEST = date(1900, 1, 1)


def create_case(owner: User, pseudonym: str, note: str = "") -> Case:
    """Create a case.

    Raises:
        Refused: The pseudonym is empty, too long or used already, the note is too long, or there are too many cases.
    """
    if Case.objects.filter(owner=owner).count() >= _MAX_CASES:
        raise Refused(_("Expected at most %(most)s cases; delete one first.") % {"most": _MAX_CASES}, lang="")
    return change_case(Case(owner=owner), pseudonym=pseudonym, note=note)


def change_case(case: Case, *, pseudonym: str | None = None, note: str | None = None) -> Case:
    """Change and save a case; ``None`` changes nothing.

    Raises:
        Refused: As for :func:`create_case`.
    """
    if pseudonym is not None:
        case.pseudonym = _clean_line(pseudonym)
        if not case.pseudonym or len(pseudonym) > PSEUDONYM_CHARS:
            text = _("Expected a pseudonym of 1 to %(most)s characters, got %(length)s; write another.")
            raise Refused(text % {"most": PSEUDONYM_CHARS, "length": len(pseudonym)}, lang="")
    if note is not None:
        case.note = _check_text(note)
    try:
        with transaction.atomic():
            case.save()
    except IntegrityError as error:
        text = _("Expected a pseudonym that no other case of yours has, got “%(name)s”; write another.")
        raise Refused(text % {"name": case.pseudonym}, 409, lang="") from error
    return case


def add_readings(case: Case, readings: Iterable[Reading]) -> int:
    """Add readings of the owner to a case; one that is in another case moves.

    Returns:
        Number of readings that were not in this case before.

    Raises:
        Refused: The case would have too many readings.
    """
    members = set(case.memberships.values_list("reading_id", flat=True))
    new = [reading for reading in readings if reading.pk not in members and reading.owner_id == case.owner_id]
    if len(members) + len(new) > MAX_READINGS:
        text = _("Expected at most %(most)s readings in a case; create another case.") % {"most": MAX_READINGS}
        raise Refused(text, lang="")
    with transaction.atomic():
        for reading in new:
            Membership.objects.update_or_create(reading=reading, defaults={"case": case})
    return len(new)


def update_membership(
    membership: Membership, *, recorded_on: date | None = None, tags: Sequence[str] | None = None
) -> Membership:
    """Set the day of a recording, and its tags unless they are ``None``.

    Raises:
        Refused: The day lies in the future or too far back, or there are too many or too long tags.
    """
    if recorded_on is not None and not _OLDEST <= recorded_on <= timezone.now().date() + timedelta(days=1):
        text = _("Expected a day from %(first)s until today, got %(day)s; correct it.")
        raise Refused(text % {"first": _OLDEST, "day": recorded_on}, lang="")
    membership.recorded_on = recorded_on
    if tags is not None:
        clean = list(dict.fromkeys(tag for each in tags if (tag := _clean_line(each))))
        if len(clean) > _MAX_TAGS or any(len(tag) > _TAG_CHARS for tag in clean):
            text = _("Expected at most %(most)s tags of at most %(length)s characters; write fewer or shorter ones.")
            raise Refused(text % {"most": _MAX_TAGS, "length": _TAG_CHARS}, lang="")
        membership.tags = clean
    membership.save()
    return membership


def split_tags(text: str) -> list[str]:
    """Return the tags of a text in which commas separate them.

    >>> split_tags("before, after surgery,,")
    ['before', 'after surgery']
    """
    return [tag.strip() for tag in text.split(",") if tag.strip()]


def list_to_review(user: User) -> QuerySet[Reading]:
    """List the user's readings that have results and no review by the user, the oldest first."""
    readings = Reading.objects.of(user).filter(state=Reading.State.DONE).exclude(reviews__reviewer=user)
    return readings.order_by("created_at", "id")


def find_next_to_review(user: User, after: Reading | None = None) -> Reading | None:
    """Return the next reading to review: behind the given one, or else the first."""
    waiting = list_to_review(user)
    if after is not None:
        later = waiting.filter(created_at__gte=after.created_at).exclude(pk=after.pk).first()
        if later is not None:
            return later
    return waiting.first()


def review_reading(
    reading: Reading, reviewer: User, *, label: str = "", statements: Sequence[str] = (), text: str = ""
) -> Review:
    """Store what a person says about a reading; the label becomes the reading's own, beside the model's.

    Raises:
        Refused: A statement is unknown, or the label or the text is too long.
    """
    criteria = load_criteria().criteria
    unknown = [name for name in statements if name not in criteria]
    if unknown:
        raise Refused(f"Expected statements out of the criteria, got {unknown[0][:60]}; choose one of them.")
    met = [each.name for each in find_statements(reading.facts or {}) if each.outcome is Outcome.MET]
    clean = _check_text(text)
    with transaction.atomic():
        update_reading(reading, corrected=label)
        review, _is_new = Review.objects.update_or_create(
            reading=reading,
            reviewer=reviewer,
            defaults={
                "label": reading.corrected,
                "statements": list(dict.fromkeys(statements)),
                "text": clean,
                "model_label": reading.label,
                "model_outcome": reading.outcome,
                "model_statements": met,
                "reviewed_at": timezone.now(),
            },
        )
    return review


def _check_text(text: str) -> str:
    if len(text) > NOTE_CHARS:
        message = _("Expected a text of at most %(most)s characters, got %(length)s; write a shorter one.")
        raise Refused(message % {"most": NOTE_CHARS, "length": len(text)}, lang="")
    return text.replace("\x00", "")


def _clean_line(text: str) -> str:
    """Return a text on one line, without characters that cannot be printed."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
