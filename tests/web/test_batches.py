"""Many pages at once."""

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from msgspec.structs import replace
from PIL import Image

from ecglens.settings import load_settings
from ecglens.web.readings import tasks
from ecglens.web.readings.models import Batch, Reading

pytestmark = pytest.mark.django_db


def archive(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def send(client):
    def post(*contents, names=("pages.zip",), **fields):
        files = [SimpleUploadedFile(name, content) for name, content in zip(names, contents, strict=True)]
        return client.post("/batches/", {"file": files, **fields})

    return post


def states():
    return list(Reading.objects.order_by("position").values_list("name", "state"))


def test_a_zip_is_read_page_by_page_and_failures_say_why(send, client, page, work, stored_files):
    files = {"b.jpg": page, "a.jpg": b"a letter", "sub/c.jpg": page, "notes.txt": b"no", "../../d.jpg": page}
    answer = send(archive(files))
    batch = Batch.objects.get()
    waiting = client.get(batch.get_absolute_url()).content.decode()
    work()
    html = client.get(batch.get_absolute_url()).content.decode()

    assert answer["Location"] == batch.get_absolute_url()
    assert "The archive is being opened." in waiting
    assert states() == [("d.jpg", "done"), ("a.jpg", "failed"), ("b.jpg", "done"), ("sub › c.jpg", "done")]
    assert "Myocardial infarction</span> 3" in html
    assert "expected JPEG, PNG" in html
    assert "Skipped files</span> 1" in html
    batch.refresh_from_db()
    assert (batch.archive.name, batch.finished) == ("", True)
    assert not any(name.endswith((".zip", "/")) or "." not in name for name in stored_files())


def test_many_files_and_each_page_of_one(send, client, page, work):
    pages = io.BytesIO()
    one = Image.open(io.BytesIO(page))
    one.save(pages, "TIFF", save_all=True, append_images=[one])
    send(page, pages.getvalue(), names=("one.jpg", "two.tif"), name="Ward 3")
    work()

    assert Batch.objects.get().name == "Ward 3"
    assert list(Reading.objects.order_by("position").values_list("name", "page_number", "state")) == [
        ("one.jpg", 1, "done"),
        ("two.tif", 1, "done"),
        ("two.tif", 2, "done"),
    ]


def test_a_file_of_many_pages_uploaded_as_one_becomes_a_batch(upload, page):
    pages = io.BytesIO()
    one = Image.open(io.BytesIO(page))
    one.save(pages, "TIFF", save_all=True, append_images=[one, one])

    assert upload(pages.getvalue(), "three.tif")["Location"] == Batch.objects.get().get_absolute_url()
    assert Reading.objects.count() == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 broken", "its index cannot be read"),
        (archive({"notes.txt": b"no"}), "files that have names of pages"),
    ],
)
def test_an_unreadable_archive_is_deleted_and_the_reason_shown(send, client, work, stored_files, content, message):
    send(content)
    work()
    batch = Batch.objects.get()

    assert message in batch.failure_reason
    assert "/tmp" not in batch.failure_reason
    assert message.replace("'", "&#x27;") in client.get(batch.get_absolute_url()).content.decode()
    assert stored_files() == []
    assert batch.finished


def test_a_bomb_is_a_page_that_failed(send, work, settings):
    settings.MAX_UPLOAD_BYTES = 1024**2
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(50_000_000))
    send(packed.getvalue())
    work()

    assert Reading.objects.get().state == Reading.State.FAILED
    assert "at most 1 MB" in Reading.objects.get().failure_reason


def test_too_many_pages_are_refused(send, page, work, monkeypatch):
    few = replace(load_settings(), max_batch_pages=2)
    for module in ("flows", "tasks"):
        monkeypatch.setattr(f"ecglens.web.readings.{module}.load_settings", lambda: few)
    send(archive({"a.jpg": page, "b.jpg": page, "c.jpg": page}))
    work()
    answer = send(page, page, page, names=("1.jpg", "2.jpg", "3.jpg"))

    assert "at most 2 pages" in Batch.objects.get().failure_reason
    assert answer.status_code == 413
    assert not Reading.objects.exists()


@pytest.mark.parametrize("names", [("a.zip", "b.zip"), ("a.zip", "b.jpg")])
def test_an_archive_is_uploaded_alone(send, page, names):
    packed = archive({"a.jpg": page})

    assert send(packed, packed if names[1] == "b.zip" else page, names=names).status_code == 400
    assert not Batch.objects.exists()


def test_an_empty_batch_is_refused(client):
    assert client.post("/batches/", {}).status_code == 400


def test_interrupted_unpacking_resumes_without_duplicates(send, page, monkeypatch):
    send(archive({"a.jpg": page, "b.jpg": page, "c.jpg": page}))
    real, calls = tasks._add_entry, []

    def once(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(tasks, "_add_entry", once)
    with pytest.raises(KeyboardInterrupt):
        tasks.unpack.func(str(Batch.objects.get().pk))
    assert Reading.objects.count() == 1
    tasks.unpack.func(str(Batch.objects.get().pk))

    assert [name for name, _ in states()] == ["a.jpg", "b.jpg", "c.jpg"]


def test_deleting_a_batch_leaves_nothing(send, client, page, work, stored_files):
    send(archive({"a.jpg": page, "b.jpg": page}))
    work()
    client.post(f"{Batch.objects.get().get_absolute_url()}delete")

    assert not Reading.objects.exists()
    assert stored_files() == []


def test_deleting_one_of_the_pages_of_a_file_keeps_the_file_for_the_others(send, client, page, work):
    pages = io.BytesIO()
    one = Image.open(io.BytesIO(page))
    one.save(pages, "TIFF", save_all=True, append_images=[one])
    send(pages.getvalue(), names=("two.tif",))
    client.post(f"{Reading.objects.get(position=0).get_absolute_url()}delete")
    work()

    assert states() == [("two.tif", "done")]


def test_polling_a_batch_returns_only_the_part_that_changes(send, client, page):
    send(page, names=("a.jpg",))
    part = client.get(Batch.objects.get().get_absolute_url(), headers={"HX-Request": "true"}).content.decode()

    assert part.startswith('<div id="batch" hx-get=')
    assert "0 of 1 pages done" in part
