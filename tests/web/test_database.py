"""Addresses of databases, as people write them, against the settings that Django gets."""

import pytest

from ecglens.errors import MissingExtraError, SettingsError
from ecglens.web.http import database as module
from ecglens.web.http.database import configure_database


@pytest.fixture
def _drivers(monkeypatch):
    """Every driver is there: how an address is read does not depend on what is installed."""
    monkeypatch.setattr(module, "require", lambda name, *, extra: None)


@pytest.mark.usefixtures("_drivers")
@pytest.mark.parametrize(
    ("address", "engine", "port"),
    [
        ("postgresql://ecglens:s%40crt@db:5432/ecg", "postgresql", "5432"),
        ("postgres://ecglens:s%40crt@db/ecg", "postgresql", ""),
        ("mysql://ecglens:s%40crt@db:3306/ecg", "mysql", "3306"),
        ("mariadb://ecglens:s%40crt@db/ecg/", "mysql", ""),
    ],
)
def test_an_address_of_a_server_becomes_djangos_settings(address, engine, port, tmp_path):
    settings = configure_database(address, tmp_path)
    assert settings["ENGINE"] == f"django.db.backends.{engine}"
    names = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
    assert [settings[name] for name in names] == ["ecg", "ecglens", "s@crt", "db", port]
    assert settings["CONN_MAX_AGE"] == 60
    assert settings["CONN_HEALTH_CHECKS"] is True


@pytest.mark.usefixtures("_drivers")
def test_options_in_the_address_override_mysql_defaults(tmp_path):
    assert configure_database("postgresql://db/ecg?sslmode=require", tmp_path)["OPTIONS"] == {"sslmode": "require"}
    assert configure_database("postgresql://db/ecg", tmp_path)["OPTIONS"] == {}
    utc = "SET time_zone = '+00:00'"
    defaults = {"charset": "utf8mb4", "isolation_level": "read committed", "init_command": utc}
    assert configure_database("mysql://db/ecg", tmp_path)["OPTIONS"] == defaults
    assert configure_database("mariadb://db/ecg?charset=utf8&connect_timeout=3", tmp_path)["OPTIONS"] == {
        **defaults,
        "charset": "utf8",
        "connect_timeout": 3,
    }


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("", "{folder}/ecglens.sqlite3"),
        ("sqlite:////data/ecg%20lens.sqlite3", "/data/ecg lens.sqlite3"),
        ("sqlite:///beside.sqlite3", "beside.sqlite3"),
        ("sqlite://beside.sqlite3", "beside.sqlite3"),
        ("sqlite://", ":memory:"),
    ],
)
def test_sqlite_is_a_file_and_never_in_memory_by_mistake(address, name, tmp_path):
    settings = configure_database(address, tmp_path)
    assert settings["NAME"] == name.format(folder=tmp_path)
    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


@pytest.mark.parametrize("address", ["mysql://me:secret@db:port/ecg", "postgresql://me:secret@db:99999/ecg"])
def test_an_invalid_port_is_refused_without_revealing_the_password(address, tmp_path):
    with pytest.raises(SettingsError, match="^Expected a port in digits in ECGLENS_DATABASE_URL") as caught:
        configure_database(address, tmp_path)
    assert "secret" not in str(caught.value)


def test_a_missing_driver_is_named_with_the_extra_that_installs_it(monkeypatch, tmp_path):
    monkeypatch.setitem(module._DRIVERS, "mysql", ("a_driver_that_nobody_has", "mysql"))
    with pytest.raises(MissingExtraError, match=r"pip install 'ecglens\[mysql\]'"):
        configure_database("mysql://me@db/ecg", tmp_path)
