import re
import runpy
import stat
from pathlib import Path

import pytest
import yaml
from django.conf import settings as django_settings
from django.core.management import call_command
from django.test import Client

from ecglens.errors import SettingsError
from ecglens.settings import Settings
from ecglens.web.http.keys import PLACEHOLDER, check_settings
from ecglens.web.readings.models import WorkerLife

ROOT = Path(__file__).resolve().parents[2]
OF_COMPOSE = {"SITE_HOST", "DATABASE_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
OURS = ("migrate", "app", "worker")


class _Loader(yaml.SafeLoader):
    """Compose's own tags are passed over."""


def _passed_over(loader, suffix, node):
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _passed_over)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose():
    return yaml.load(read("compose.yaml"), _Loader)


@pytest.fixture(scope="module")
def stages():
    """Return the instructions of the Dockerfile's two stages."""
    text = re.sub(r"\\\n", " ", read("Dockerfile"))
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    parts = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    assert len(parts) == 2
    return parts


def test_the_image_is_slim_unprivileged_and_has_a_health_check(stages):
    build, final = stages
    assert build.startswith("python:3.12-slim")
    assert final.startswith("python:3.12-slim")
    users = re.findall(r"^USER (\S+)$", final, re.MULTILINE)
    assert users
    assert users[-1].split(":")[0] not in ("root", "0")
    assert "gcc" in build
    assert "gcc" not in final
    assert "libmariadb-dev" not in final
    assert re.search(r"install --yes --no-install-recommends libmariadb3\s", final)
    assert "HEALTHCHECK" in final
    assert "/readyz" in final
    assert Client().get("/healthz").status_code == 200
    assert not re.search(r"SECRET_KEY|PASSWORD", final)


def test_no_training_framework_is_installed(stages):
    extras = re.search(r"^ARG EXTRAS=(\S+)$", stages[0], re.MULTILINE)[1].split(",")
    assert {"web", "mysql", "postgresql", "s3", "openid"} <= set(extras)
    assert not {"train", "explain", "keras", "dev", "batch"} & set(extras)
    assert "find_spec('torch') is None" in stages[0]
    assert runpy.run_path(str(ROOT / "benchmarks" / "image_size.py"))["extras"]() == ",".join(extras)


def test_the_measured_size_is_below_the_limit():
    table = read("benchmarks/image_size.md")
    size, limit = re.search(r"the limit is (\d+) \| (\d+) \|", table).group(2, 1)
    assert int(size) <= int(limit) == 700


def test_slimming_takes_out_only_what_serving_does_not_read(tmp_path):
    needed = [
        "numpy/core.py",
        "django/conf/locale/de/formats.py",
        "django/conf/locale/__init__.py",
        "botocore/data/s3/a",
    ]
    needed += ["botocore/data/endpoints.json", "onnxruntime/capi/a.so", "ecglens/tests/a.py"]
    gone = ["numpy/lib/tests/a.py", "scipy/tests/a.py", "django/conf/locale/fr/formats.py", "botocore/data/ec2/a"]
    gone += ["onnxruntime/tools/a.py", "numpy/a.pyi", "numpy/a.h", "django/conf/locale/de/django.po"]
    for name in (*needed, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    slimming = runpy.run_path(str(ROOT / "deploy" / "slim.py"))
    slimming["slim"](tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(needed)
    assert {code for code, _ in django_settings.LANGUAGES} <= slimming["LANGUAGES"]


def test_the_build_context_contains_what_the_image_needs(stages):
    ignored = read(".dockerignore").splitlines()
    assert "*" in ignored
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", stages[0], re.MULTILINE):
        for name in copied.split():
            assert (ROOT / name).exists()
            assert f"!{name}" in ignored


def test_every_service_exists_and_is_hardened(compose):
    services = compose["services"]
    assert set(services) == {"migrate", "app", "worker", "db", "proxy"}
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert "healthcheck" in service or name == "app", f"{name}: the app's is the image's"
        assert name in ("proxy",) or "ports" not in service, f"only the proxy is reached from outside, not {name}"
        assert "privileged" not in service
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert 0 < service["pids_limit"] <= 512, name
    for name in OURS:
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["env_file"] == [".env"]
    assert compose["networks"]["database"]["internal"] is True
    assert services["db"]["networks"] == ["database"]
    assert "database" not in services["proxy"]["networks"]
    declared = set(compose["volumes"])
    for service in services.values():
        named = {volume.split(":")[0] for volume in service["volumes"]}
        assert {name for name in named if not name.startswith(".")} <= declared
        assert all((ROOT / name).exists() for name in named if name.startswith("."))


def test_the_proxy_does_not_wait_for_slow_clients_for_ever():
    text = read("deploy/Caddyfile")
    assert {"read_header", "read_body", "write", "idle"} <= set(re.findall(r"^\t+(\w+) \d+[sm]$", text, re.MULTILINE))
    assert "request_buffers" in text


def test_tables_are_migrated_before_the_site_starts(compose):
    services = compose["services"]
    assert "migrate" in services["migrate"]["entrypoint"][-1]
    assert "createcachetable" in services["migrate"]["entrypoint"][-1]
    for name in ("app", "worker"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert services[name]["depends_on"]["db"] == {"condition": "service_healthy"}
    assert services["worker"]["command"] == ["worker"]
    assert services["app"]["environment"]["ECGLENS_WORKER_PROCESSES"] == "0"


def test_postgresql_takes_the_place_of_mariadb(compose):
    other = yaml.load(read("compose.postgresql.yaml"), _Loader)
    default = "${ECGLENS_DATABASE_URL:-"
    assert set(other["services"]) == {*OURS, "db"}
    for name in OURS:
        assert other["services"][name]["environment"]["ECGLENS_DATABASE_URL"].startswith(
            f"{default}postgresql://ecglens:"
        )
        assert compose["services"][name]["environment"]["ECGLENS_DATABASE_URL"].startswith(f"{default}mysql://ecglens:")
    text = read("compose.postgresql.yaml")
    for key in ("command", "tmpfs", "environment", "volumes"):
        assert re.search(rf"^    {key}: !override", text, re.MULTILINE), f"MariaDB's {key} must not stay"


def test_every_variable_is_a_setting(compose):
    fields = {f"ECGLENS_{name.upper()}" for name in Settings.__struct_fields__}
    example = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", read(".env.example"), re.MULTILINE))
    named = set(example)
    for text in (read("compose.yaml"), read("compose.postgresql.yaml"), read("Dockerfile"), read("docs/deploy.md")):
        named |= set(re.findall(r"ECGLENS_[A-Z][A-Z0-9_]*", text))
    for text in (read("compose.yaml"), read("compose.postgresql.yaml")):
        variables = set(re.findall(r"\$\{([A-Z_]+)", text))
        assert variables <= example, "compose asks for what the example does not have"
    assert {name for name in named if name.startswith("ECGLENS_")} <= fields
    assert {name for name in named if not name.startswith("ECGLENS_")} <= OF_COMPOSE


def test_the_example_settings_are_refused_unchanged():
    example_key = re.search(r"^ECGLENS_SECRET_KEY=(.*)$", read(".env.example"), re.MULTILINE)[1]
    assert PLACEHOLDER in example_key
    with pytest.raises(SettingsError, match="^Expected an ECGLENS_SECRET_KEY of at least 32 random characters"):
        check_settings(secret_key=example_key, debug=False, hosts=["ecg.example.org", "127.0.0.1"])
    with pytest.raises(SettingsError, match="got none for ecg"):
        check_settings(secret_key="", debug=False, hosts=["ecg.example.org"])


def test_the_proxy_lets_whole_batches_through():
    caddy = read("deploy/Caddyfile")
    assert int(re.search(r"max_size (\d+)MB", caddy)[1]) > Settings().max_batch_mb
    assert "reverse_proxy app:8000" in caddy


def test_every_command_of_the_docs_exists():
    for name in set(re.findall(r"manage ([a-z]+)", read("docs/deploy.md"))):
        assert name in django_commands(), name
    assert not stat.S_IMODE((ROOT / ".env.example").stat().st_mode) & stat.S_IXUSR


def django_commands():
    from django.core.management import get_commands

    return get_commands()


@pytest.mark.django_db
def test_the_workers_command_reports_whether_a_worker_is_alive(capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("workers")
    assert ended.value.code == 1
    assert capsys.readouterr().out == "0 workers, 0 tasks wait\n"
    WorkerLife.objects.create(worker_id="one")
    call_command("workers")
    assert capsys.readouterr().out == "1 workers, 0 tasks wait\n"
