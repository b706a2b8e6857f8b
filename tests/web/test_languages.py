"""The site in German: nothing is left in English but what the library says, and that is marked."""

import ast
import gettext
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pypdfium2
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

import ecglens.web
from ecglens.criteria.presentation import TEXTS as CRITERIA_TEXTS
from ecglens.demo import demo_pages
from ecglens.explanations import WORDS as CHECK_WORDS
from ecglens.labels import SUPERCLASSES, TITLES
from ecglens.measuring import presentation as figures
from ecglens.models.explain import METHODS
from ecglens.models.registry import list_models
from ecglens.outcomes import OUTCOME_TITLES
from ecglens.records import Measured, Measurements, PrintedFacts
from ecglens.web.accounts.models import SCOPES
from ecglens.web.accounts.tokens import create_token
from ecglens.web.catalog.evaluations import load_explanation_evaluation
from ecglens.web.readings.models import Batch, Reading
from ecglens.web.readings.pictures import STEPS
from ecglens.web.readings.presentation import _STEP_TITLES, WORDS
from ecglens.web.readings.translations import ALLAUTH, CHECK_RESULTS, TEXTS

pytestmark = pytest.mark.sqlite

WEB = Path(ecglens.web.__file__).parent
PO = WEB / "locale" / "de" / "LC_MESSAGES" / "django.po"
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}
PLACES = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{[^}]*\}|</?\w+[^>]*>")
ENGLISH = re.compile(
    r"\b(the|and|of|is|are|not|with|your|you|this|that|page|pages|sign|log in|password|please|choose|read|"
    r"reading|lead|leads|answer|label|labels|file|upload|save|delete|none|below|above|within|failed|done|account|"
    r"security|key|keys|recovery|history|batches|models|figure|usual|recall|mean|seed|seeds|if|for|from|to)\b",
    re.IGNORECASE,
)
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
SPOKEN = {"alt", "title", "aria-label", "placeholder", "data-reading", "data-sending", "data-offline", "data-failed"}
SPOKEN |= {"data-large", "data-ask", "data-confirm", "data-hidden"}
OPEN = ["/", "/disease-predict", "/models", "/models/compare", "/models/compare?with=cpcb4", "/offline"]
OPEN += [f"/accounts/{name}/" for name in ("login", "signup", "password/reset", "password/reset/done")]
OPEN += ["/accounts/password/reset/key/done/", "/accounts/inactive/", "/nothing/here"]
OWN = ["/disease-predict", "/readings/", "/readings/?q=nothing", "/batches/", "/streams/", "/account/", "/models"]
OWN += ["/account/delete", "/account/data", "/accounts/reauthenticate/", "/accounts/email/", "/accounts/logout/"]
OWN += ["/accounts/password/change/", "/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/"]
OWN += ["/accounts/2fa/webauthn/add/", "/accounts/confirm-email/"]


def messages(path):
    """Return every message of a .po: its texts by keyword, and its flags."""
    entries = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        texts, name, flags = {}, "", ""
        for line in block.splitlines():
            if line.startswith("#"):
                flags += line if line.startswith("#,") else ""
                continue
            if not line.startswith('"'):
                name, _, line = line.partition(" ")
                texts[name] = ""
            texts[name] += ast.literal_eval(line)
        if texts.get("msgid"):
            entries.append((texts, flags))
    return entries


def catalog(path):
    """Return the contents of a .mo of this .po."""
    contents = {}
    for texts, _ in messages(path):
        key = "\x04".join(filter(None, (texts.get("msgctxt"), texts["msgid"])))
        if "msgid_plural" in texts:
            contents |= {(key, number): texts[f"msgstr[{number}]"] for number in (0, 1)}
        else:
            contents[key] = texts["msgstr"]
    return contents


def ids(path):
    return {(texts.get("msgctxt", ""), texts["msgid"], texts.get("msgid_plural", "")) for texts, _ in messages(path)}


def test_nothing_is_untranslated_or_uncertain():
    for texts, flags in messages(PO):
        assert all(texts[name] for name in texts if name.startswith("msgstr")), texts["msgid"]
        assert "fuzzy" not in flags, texts["msgid"]


def test_the_compiled_catalog_equals_the_written_one():
    with PO.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog
    compiled.pop("")

    assert compiled == catalog(PO)


def test_places_for_numbers_and_names_are_the_same_in_both_languages():
    for texts, _ in messages(PO):
        sources = [texts["msgid"], texts.get("msgid_plural", texts["msgid"])]
        for number, name in enumerate(name for name in texts if name.startswith("msgstr")):
            expected = sorted(PLACES.findall(sources[number]))
            assert sorted(PLACES.findall(texts[name])) == expected, texts["msgid"]
            assert texts[name].endswith("\n") == sources[number].endswith("\n")


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="gettext is not installed")
def test_the_translation_has_the_texts_of_the_sources(tmp_path):
    copy = tmp_path / "web"
    shutil.copytree(WEB, copy, ignore=shutil.ignore_patterns("vendor", "__pycache__", "*.mo"))
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    options = ["-l", "de", "--no-location", "--no-obsolete", "-e", "html,py,js,txt"]
    command = [sys.executable, "-P", "-m", "django", "makemessages", *options]
    subprocess.run(command, cwd=copy, env=environment, check=True, capture_output=True)

    assert ids(copy / PO.relative_to(WEB)) == ids(PO), "run makemessages, translate, compilemessages"


def test_words_that_reach_gettext_as_variables_are_written_out():
    needed = {
        *TITLES.values(),
        *SUPERCLASSES.values(),
        *OUTCOME_TITLES.values(),
        *WORDS.values(),
        *figures.TEXTS,
        *CRITERIA_TEXTS,
        *_STEP_TITLES.values(),
        *SCOPES,
        "below",
        "within",
        "above",
    }
    needed |= (
        {"honest", "as-published"}
        | {method.title for method in METHODS.values()}
        | {page.title for page in demo_pages()}
    )
    for card in list_models():
        evaluation = load_explanation_evaluation(card)
        if evaluation is not None:
            needed |= {check.name for checks in evaluation.methods.values() for check in checks}
            needed |= set(evaluation.changes)

    assert set(_STEP_TITLES) == set(STEPS)
    assert needed == set(TEXTS)
    assert set(CHECK_WORDS.values()) == set(CHECK_RESULTS)


def test_texts_for_another_package_are_still_its_own():
    import allauth

    with (Path(allauth.__file__).parent / "locale/de/LC_MESSAGES/django.mo").open("rb") as file:
        theirs = gettext.GNUTranslations(file)._catalog

    assert [text for text in ALLAUTH if text not in theirs] == []


def test_every_text_of_a_figure_can_be_put_into_another_language():
    texts = []

    def translate(text):
        texts.append(text)
        return text.upper() if "{" not in text else text

    ranges = {"rate_bpm": (60.0, 100.0), "qrs_ms": (None, 110.0), "qt_ms": (300.0, None)}
    measurements = Measurements(
        **{name: Measured(90.0, 1.0, "ms", reference) for name, reference in ranges.items()},
        st_j_mv={"V1": Measured(0.1, 0.02, "mV", None)},
    )
    views = [
        *figures.list_figures(measurements, translate=translate),
        *(lead.at_j for lead in figures.list_st_leads(measurements, translate=translate)),
    ]
    printed = PrintedFacts(rate_bpm=92.0, high_pass_hz=0.67, low_pass_hz=25.0)

    assert {figure.title for figure in views} >= {"VENTRICULAR RATE", "ST AT THE J POINT"}
    assert [figure.reference for figure in views] == ["60 to 100", "up to 110", "from 300", ""]
    assert "AXIS" in figures.list_missing(measurements, translate=translate)
    assert figures.describe_print(printed, translate=translate) == "rate 92/min, filter 0.67 to 25 Hz"
    assert set(texts) <= set(figures.TEXTS)
    with translation.override("de"):
        assert figures.list_figures(measurements, translate=translation.gettext)[0].reference == "60 bis 100"


class _Texts(HTMLParser):
    """Texts of a page in its own language: text and spoken attributes outside of what is marked as English."""

    def __init__(self, content):
        super().__init__()
        self.texts, self.lang, self._open = [], "", []
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.lang = self.lang or (attributes.get("lang") if tag == "html" else "")
        foreign = (bool(self._open) and self._open[-1][1]) or attributes.get("lang") == "en"
        foreign = foreign or tag in ("script", "style", "code")
        if not foreign:
            self.texts += [value for name, value in attrs if name in SPOKEN and value]
        if tag not in VOID:
            self._open.append((tag, foreign))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if data.strip() and not (self._open and self._open[-1][1]):
            self.texts.append(" ".join(data.split()))


def german(answer, *names):
    """Check that a page is German, apart from names of files and the like, and return its texts."""
    page = _Texts(answer.content.decode())
    assert page.lang == "de"
    texts = [text for text in page.texts if text not in names]
    assert [text for text in texts if ENGLISH.search(re.sub(r"[\w./-]+\.(jpg|png|onnx)", "", text))] == []
    return " ".join(texts)


@pytest.mark.django_db
@pytest.mark.parametrize("address", OPEN)
def test_a_public_page_is_german(address):
    german(Client().get(address, follow=True, **GERMAN))


@pytest.mark.django_db
@pytest.mark.parametrize("address", OWN)
def test_a_page_of_a_user_is_german(client, user, address):
    create_token(user, "Archiv", ["read", "write"])
    answer = client.get(address, follow=True, **GERMAN)

    assert answer.status_code == 200
    german(answer, user.email, "ada")


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["totp/activate", "webauthn/add", "", "totp/deactivate", "recovery-codes/generate"])
def test_a_page_of_the_second_factor_is_german(user, address):
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    if address in ("", "totp/deactivate", "recovery-codes/generate"):
        Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    client = Client(**GERMAN)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    client.post("/accounts/reauthenticate/", {"password": "correct horse battery"})
    answer = client.get(f"/accounts/2fa/{address}".rstrip("/") + "/")

    assert answer.status_code == 200
    german(answer, user.email)


@pytest.mark.django_db
def test_the_page_of_each_model_is_german():
    for card in list_models():
        german(Client().get(f"/models/{card.name}", **GERMAN), f"{card.title} · ecglens")


@pytest.mark.django_db(transaction=True)
def test_a_reading_is_german(client, page, work):
    file = SimpleUploadedFile("MI_26.jpg", page)
    waiting = client.post("/disease-predict", {"file": file, "explain": "on"}, follow=True, **GERMAN)
    german(waiting)
    work()
    address = Reading.objects.get().get_absolute_url()
    texts = german(client.get(address, **GERMAN))

    for words in ("Myokardinfarkt", "Kammerfrequenz", "60 bis 100", "im Bereich", "Rhythmusstreifen", "Eichzacke"):
        assert words in texts
    for words in ("Wegnehmen: ", "Übliche Ursachen", "Schritt", "Graustufen", "Keine Diagnose."):
        assert words in texts
    assert re.search(r"\d,\d %", texts)
    assert re.findall(r".{30}\d\.\d+ (?:%|mm|mV|°)", texts) == [], "numbers have a comma"
    german(client.get("/readings/", **GERMAN))
    sheet = pypdfium2.PdfDocument(client.get(address + "sheet.pdf", **GERMAN).content)
    text = " ".join(each.get_textpage().get_text_range() for each in sheet)
    sheet.close()
    for words in ("Seite 1", "Kammerfrequenz", "Messwert", "60 bis 100", "keine Diagnose", "Beurteilt von"):
        assert words in text


@pytest.mark.django_db(transaction=True)
def test_texts_of_the_library_are_marked_as_english(client, page):
    failed = client.post("/disease-predict", {"file": SimpleUploadedFile("a.jpg", b"a letter")}, **GERMAN)
    german(failed)
    assert '<span lang="en">a.jpg: expected' in failed.content.decode()
    many = {"file": [SimpleUploadedFile(f"{number}.jpg", page) for number in range(2)]}
    own = Client().post("/disease-predict", many, **GERMAN)
    assert "Ohne Konto wird jeweils eine Seite ausgewertet" in german(own)
    response = client.post(
        "/disease-predict", {"file": SimpleUploadedFile("a.jpg", b"no")}, headers={"Accept": "application/json"}
    )
    assert response.json()["lang"] == "en"


@pytest.mark.django_db
def test_a_message_of_the_library_is_marked_as_english(client, user):
    reading = Reading.objects.create(owner=user, name="a.jpg", state="failed")
    response = client.post(f"/readings/{reading.pk}/undo", follow=True, **GERMAN)
    assert re.search('role="status" lang="en">Expected a reading with changes', response.content.decode())
    german(response)
    response = client.post(reading.get_absolute_url() + "change", {"note": "x" * 4001}, follow=True, **GERMAN)
    assert "Erwartet wurden eine Notiz von höchstens 4000 Zeichen" in german(response)


@pytest.mark.django_db
def test_a_batch_is_german(client, user):
    batch = Batch.objects.create(owner=user, name="Station 3", listed=True)
    for position, (state, label) in enumerate([("waiting", ""), ("done", "mi"), ("done", ""), ("answered", "normal")]):
        Reading.objects.create(
            owner=user,
            batch=batch,
            position=position,
            name=f"{position}.jpg",
            state=state,
            outcome="" if state == "waiting" else "answered" if label else "not_sure",
            label=label,
            probability=0.9,
        )
    failure_reason = "Expected a page, got a letter."
    Reading.objects.create(
        owner=user, batch=batch, position=9, name="9.jpg", state="failed", failure_reason=failure_reason
    )

    texts = german(client.get(batch.get_absolute_url(), **GERMAN))
    assert "2 von 5 Seiten fertig, 1 fehlgeschlagen." in texts
    assert "wird vermessen" in texts
    german(client.get("/batches/", **GERMAN))
    assert "Nicht sicher" in german(client.get("/readings/", **GERMAN))


@pytest.mark.django_db
def test_the_chosen_language_is_remembered():
    client = Client(HTTP_ACCEPT_LANGUAGE="en")
    chosen = client.post("/i18n/setlang/", {"language": "de", "next": "/disease-predict"})

    assert chosen["Location"] == "/disease-predict"
    assert client.cookies["django_language"].value == "de"
    assert "EKG-Seite auswerten" in german(client.get("/disease-predict"))
    client.post("/i18n/setlang/", {"language": "en", "next": "/"})
    assert "Read an ECG page" in client.get("/disease-predict").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("address", OPEN)
def test_english_has_one_term_for_logging_in(address):
    texts = " ".join(_Texts(Client().get(address, follow=True).content.decode()).texts)

    assert not re.search(r"(?i)\bsign(ed|ing)?[ -](in|out)\b|\blogin\b", texts)


def test_the_compiled_english_words_equal_the_written_ones():
    path = WEB / "locale" / "en" / "LC_MESSAGES" / "django.po"
    with path.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog
    compiled.pop("")

    assert compiled == catalog(path)
