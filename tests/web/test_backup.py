import hashlib
import io
import json
import stat
import tarfile
import uuid
from datetime import UTC, datetime

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.files.storage import InMemoryStorage, storages
from django.core.management import CommandError, call_command
from django.core.management.color import no_style
from django.db import connection
from django_tasks_db.models import DBTaskResult

from ecglens.web.accounts.models import AuditEntry, User
from ecglens.web.accounts.tokens import create_token
from ecglens.web.cases.models import Case, Membership, Review, Share
from ecglens.web.operations.backup import LEFT_OUT, MANIFEST, TABLES, list_tables
from ecglens.web.readings.models import Answer, Batch, Picture, Reading, WorkerLife
from ecglens.web.readings.store import pages, store_file

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 3, 1, 12, 30, 59, 123456, tzinfo=UTC)
CONTENTS = {"page": b"\xff\xd8 a page", "gray": b"\x89PNG gray", "signals": b"{}", "upload": b"bytes", "zip": b"PK"}


@pytest.fixture(autouse=True)
def storage(settings):
    """Give each test a private storage of its own, in place of the one that the fields refer to."""
    settings.STORAGES = {**settings.STORAGES, "pages": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    fields = [field for model in list_tables() for field in model._meta.fields if hasattr(field, "storage")]
    old = [field.storage for field in fields]
    for field in fields:
        field.storage = storages["pages"]
    yield storages["pages"]
    for field, before in zip(fields, old, strict=True):
        field.storage = before


@pytest.fixture
def site():
    """Two users, one of them with everything."""
    group = Group.objects.create(name="cardiology")
    group.permissions.set(Permission.objects.filter(codename__in=["view_reading", "view_user"]))
    user = User.objects.create_user("ada@example.org", "a long password", is_staff=True, date_joined=AT)
    user.groups.add(group)
    user.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "GEZDGNBV"})
    token, _ = create_token(user, "script", ["read"])
    batch = Batch.objects.create(owner=user, name="ward.zip", archive=store_file(CONTENTS["zip"], ".zip"))
    done = Reading.objects.create(
        owner=user,
        name="página ♥.jpg",
        created_at=AT,
        state=Reading.State.DONE,
        page=store_file(CONTENTS["page"], ".jpg"),
        signals=store_file(CONTENTS["signals"], ".json"),
        label="normal",
        probability=0.1 + 0.2,
        facts={"rate_bpm": 61.5, "warnings": ["Lead V6 is poor."], "none": None},
        note="line one\nline two",
    )
    Answer.objects.create(reading=done, model="compact_cnn", version="1.0", prediction={"label": "normal"})
    Picture.objects.create(reading=done, name="gray", file=store_file(CONTENTS["gray"], ".png"), width=3, height=4)
    Reading.objects.create(
        owner=user,
        batch=batch,
        position=1,
        name="two.jpg",
        upload=store_file(CONTENTS["upload"], ""),
        idempotency_key=None,
    )
    Reading.objects.create(owner=user, name="three.jpg", state=Reading.State.ANSWERED, lease=uuid.uuid4())
    case = Case.objects.create(owner=user, pseudonym="bed 7", created_at=AT)
    Membership.objects.create(case=case, reading=done, recorded_on=AT.date(), tags=["before"])
    Share.objects.create(case=case, sha256="0" * 64, expires_at=AT)
    Review.objects.create(reading=done, reviewer=user, label="WPW", statements=["bradycardia"], reviewed_at=AT)
    AuditEntry.objects.create(actor_id=user.pk, token_id=token.pk, action="see", kind="reading", object_id=str(done.pk))
    WorkerLife.objects.create(worker_id="w1")
    return user


@pytest.fixture
def archive(site, tmp_path):
    path = tmp_path / "all.tar"
    call_command("backup", str(path))
    return path


def rows():
    tables = {}
    for model in list_tables():
        tables[model._meta.label_lower] = list(model._base_manager.order_by("pk").values())
    group = Group.objects.first()
    if group is not None:
        tables["granted"] = sorted(group.permissions.values_list("codename", flat=True))
        tables["members"] = sorted(group.user_set.values_list("email", flat=True))
        tables["own"] = sorted(Permission.objects.filter(user__isnull=False).values_list("codename", flat=True))
    return tables


def files():
    names = [
        str(row) for field in ("page", "signals", "upload") for row in Reading.objects.values_list(field, flat=True)
    ]
    names += [*Picture.objects.values_list("file", flat=True), *Batch.objects.values_list("archive", flat=True)]
    return {name: pages().open(name).read() for name in names if name}


def empty_site(storage):
    """Reset the site to the state after ``migrate`` in a new database."""
    call_command("flush", interactive=False, verbosity=0)
    storage._root._children.clear()
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list_tables()):
            cursor.execute(statement)


def rewrite(path, change, *, manifest=lambda content: content):
    """Write the archive again; ``change`` takes a member's name and content and returns the members to write."""
    with tarfile.open(path) as old:
        members = [(member.name, old.extractfile(member).read()) for member in old]
    manifest_content = manifest(json.loads(dict(members)[MANIFEST]))
    with tarfile.open(path, "w") as new:
        for name, content in members:
            if name == MANIFEST:
                name, content = MANIFEST, json.dumps(manifest_content).encode()
            for each, bytes_ in change(name, content):
                member = tarfile.TarInfo(each)
                member.size = len(bytes_)
                new.addfile(member, io.BytesIO(bytes_))


def test_everything_comes_back_as_it_was(archive, storage):
    before, contents = rows(), files()
    assert set(contents.values()) == set(CONTENTS.values())
    empty_site(storage)
    assert not User.objects.exists()
    call_command("restore", str(archive))
    assert rows() == before
    assert files() == contents
    assert User.objects.get().check_password("a long password")
    assert not WorkerLife.objects.exists()


def test_unfinished_work_is_restarted(archive, storage):
    empty_site(storage)
    call_command("restore", str(archive))
    tasks = {(task.task_path.rpartition(".")[2], task.args_kwargs["args"][0]) for task in DBTaskResult.objects.all()}
    assert tasks == {
        ("read_waiting", str(Reading.objects.get(state="waiting").pk)),
        ("look_closer", str(Reading.objects.get(state="answered").pk)),
        ("unpack", str(Batch.objects.get().pk)),
    }


def test_rows_made_after_a_restore_get_new_numbers(archive, storage):
    gone = 4000
    last = AuditEntry.objects.latest("id").pk
    assert User.objects.latest("id").pk < gone
    archive.unlink()
    AuditEntry.objects.create(actor_id=gone, owner_id=gone, action="delete")
    call_command("backup", str(archive))
    empty_site(storage)
    call_command("restore", str(archive))
    assert User.objects.count() == 1
    assert User.objects.create_user("new@example.org").pk > gone, "a number that the audit log knows is given to nobody"
    assert AuditEntry.objects.create(action="see").pk > last + 1
    assert Answer.objects.create(reading=Reading.objects.first(), position=7, model="m", prediction={}).pk


def test_the_archive_is_private_and_overwrites_no_file(archive):
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert list(archive.parent.iterdir()) == [archive]
    with pytest.raises(CommandError, match=r"^Expected the name of a new file, but .* exists already"):
        call_command("backup", str(archive))
    with pytest.raises(CommandError, match=r"^Expected a folder in which .* can be written, got .*: No such file"):
        call_command("backup", str(archive.parent / "nowhere" / "all.tar"))


def test_a_missing_file_is_reported(site, tmp_path, storage, capsys):
    storage.delete(Picture.objects.get().file.name)
    call_command("backup", str(tmp_path / "all.tar"))
    assert "1 files are missing" in capsys.readouterr().err
    empty_site(storage)
    call_command("restore", str(tmp_path / "all.tar"))
    assert "1 files are missing in the archive" in capsys.readouterr().err
    assert Picture.objects.count() == 1


def test_a_database_that_is_not_empty_is_refused(archive, storage):
    with pytest.raises(CommandError, match=r"^Expected an empty database, got one with rows of auth\.group; "):
        call_command("restore", str(archive))
    empty_site(storage)
    User.objects.create_user("somebody@example.org")
    with pytest.raises(CommandError, match=r"^Expected an empty database, got one with rows of accounts\.user; "):
        call_command("restore", str(archive))


def test_an_altered_file_or_row_is_refused_before_anything_is_written(archive, storage):
    empty_site(storage)
    whole = archive.read_bytes()
    for old, new in ((CONTENTS["gray"], b"\x89PNG GRAY"), (b"ada@example.org", b"eve@example.org")):
        assert whole.count(old) >= 1
        archive.write_bytes(whole.replace(old, new, 1))
        with pytest.raises(CommandError, match="The hash of .* differs from the manifest: the archive was altered"):
            call_command("restore", str(archive))
    archive.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(CommandError, match=r"no manifest\.json|is none"):
        call_command("restore", str(archive))
    assert not User.objects.exists()
    assert storage.listdir("") == ([], [])


@pytest.mark.parametrize(
    "name",
    ["../evil.jpg", "/etc/evil", "files/../../evil", "files/ab/../evil", "pages/ab", "tables/sessions.session.jsonl"],
)
def test_a_path_out_of_the_archive_is_refused(archive, storage, name):
    empty_site(storage)
    rewrite(archive, lambda each, content: [(each, content), (name, b"x")] if each == MANIFEST else [(each, content)])
    with pytest.raises(CommandError, match=r"^The archive contains .* which no backup has; nothing was restored\.$"):
        call_command("restore", str(archive))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_and_folders_are_refused(archive, kind):
    with tarfile.open(archive, "a") as old:
        member = tarfile.TarInfo(f"files/ab/{'ab' * 20}")
        member.type, member.linkname = kind, "/etc/passwd"
        old.addfile(member)
    with pytest.raises(CommandError, match="which no backup has"):
        call_command("restore", str(archive))


def test_gaps_in_the_manifest_and_the_archive_are_reported(archive, storage):
    empty_site(storage)
    whole = archive.read_bytes()
    rewrite(archive, lambda name, content: [] if name.endswith("answer.jsonl") else [(name, content)])
    with pytest.raises(CommandError, match=r"^The archive lacks tables/readings\.answer\.jsonl"):
        call_command("restore", str(archive))
    archive.write_bytes(whole)
    extra = f"files/ab/{'ab' * 20}.png"
    rewrite(archive, lambda name, content: [(name, content), *([(extra, b"x")] if name == MANIFEST else [])])
    with pytest.raises(CommandError, match=r"^The manifest lacks files/ab/"):
        call_command("restore", str(archive))
    archive.write_bytes(whole)
    rewrite(archive, lambda name, content: [] if name == MANIFEST else [(name, content)])
    with pytest.raises(CommandError, match=r"^The archive has no manifest\.json"):
        call_command("restore", str(archive))


def test_rows_that_name_a_file_outside_are_refused_and_written_files_deleted(archive, storage):
    page = Reading.objects.get(state="done").page.name
    empty_site(storage)

    def change(name, content):
        return [(name, altered if name.startswith("tables/readings.reading") else content)]

    with tarfile.open(archive) as old:
        altered = old.extractfile("tables/readings.reading.jsonl").read().replace(page.encode(), b"../../etc/passwd")

    def manifest(manifest_content):
        manifest_content["tables"]["readings.reading"]["sha256"] = hashlib.sha256(altered).hexdigest()
        return manifest_content

    rewrite(archive, change, manifest=manifest)
    with pytest.raises(CommandError, match="a file that readings.reading names is not in the archive"):
        call_command("restore", str(archive))
    assert not User.objects.exists()
    assert not any(storage.exists(name) for name in [page])
    assert not DBTaskResult.objects.exists()


def test_other_tables_and_formats_are_refused(archive, storage):
    empty_site(storage)
    whole = archive.read_bytes()
    rewrite(
        archive,
        lambda name, content: [(name, content)],
        manifest=lambda manifest_content: {
            **manifest_content,
            "migrations": [*manifest_content["migrations"], "readings.0099_later"],
        },
    )
    with pytest.raises(CommandError, match="this database has others"):
        call_command("restore", str(archive))
    archive.write_bytes(whole)
    rewrite(
        archive,
        lambda name, content: [(name, content)],
        manifest=lambda old: {**old, "format": 2},
    )
    with pytest.raises(CommandError, match="^Expected an archive of format 1, got one of format 2"):
        call_command("restore", str(archive))
    archive.write_bytes(b"not a TAR at all" * 100)
    with pytest.raises(CommandError, match="^Expected an archive of 'ecglens manage backup', got .*, which is none"):
        call_command("restore", str(archive))
    with pytest.raises(CommandError, match="^Expected an archive that can be read"):
        call_command("restore", str(archive.parent / "no.tar"))


def test_an_existing_file_in_the_storage_is_not_overwritten(archive, storage):
    name = Reading.objects.get(state="done").page.name
    empty_site(storage)
    storage.save(name, io.BytesIO(b"another"))
    with pytest.raises(CommandError, match="got one with another file"):
        call_command("restore", str(archive))
    assert storage.open(name).read() == b"another"
    storage.delete(name)
    storage.save(name, io.BytesIO(CONTENTS["page"]))
    call_command("restore", str(archive))
    assert Reading.objects.get(state="done").page.read() == CONTENTS["page"]


def test_every_table_is_archived_or_left_out():
    every = {model._meta.label_lower for model in apps.get_models()}
    assert every <= {*TABLES, *LEFT_OUT}
    assert isinstance(pages(), InMemoryStorage)
