from pathlib import Path

import pytest

from ecglens.errors import SettingsError, SettingsWarning
from ecglens.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch, tmp_path):
    """Remove every setting from the environment, and change to a folder without .env."""
    for name in Settings.__struct_fields__:
        monkeypatch.delenv(f"ECGLENS_{name.upper()}", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def test_without_variables_every_setting_has_its_default():
    assert load_settings() == Settings()


def test_variables_are_read_in_their_own_types_whatever_their_case(monkeypatch, tmp_path):
    monkeypatch.setenv("ECGLENS_MAX_BATCH_PAGES", "7")
    monkeypatch.setenv("ecglens_max_megapixels", "0.5")
    monkeypatch.setenv("ECGLENS_MODELS_DIR", str(tmp_path))
    settings = load_settings()
    assert (settings.max_batch_pages, settings.max_megapixels, settings.models_dir) == (7, 0.5, tmp_path)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("Yes", True), ("on", True), ("false", False), ("OFF", False)]
)
def test_switches_take_the_usual_words(monkeypatch, text, value):
    monkeypatch.setenv("ECGLENS_HTTPS", text)
    monkeypatch.setenv("ECGLENS_SIGN_UP", text)
    assert (load_settings().https, load_settings().sign_up) == (value, value)


def test_the_environment_overrides_the_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text('# a comment\nECGLENS_MODEL="from the file"\nECGLENS_MAIL_FROM=a@b.example\n')
    monkeypatch.setenv("ECGLENS_MODEL", "from the environment")
    assert (load_settings().model, load_settings().mail_from) == ("from the environment", "a@b.example")


def test_the_file_of_a_folder_overrides_that_of_the_user(monkeypatch, tmp_path):
    (tmp_path / "config" / "ecglens").mkdir(parents=True)
    (tmp_path / "config" / "ecglens" / "settings.env").write_text(
        "ECGLENS_MODEL=auto\nECGLENS_MAIL_FROM=me@b.example\n"
    )
    (tmp_path / ".env").write_text("ECGLENS_MODEL=mine\n")
    assert (load_settings().model, load_settings().mail_from) == ("mine", "me@b.example")


def test_the_database_may_have_the_name_that_hosting_services_give_it(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://one")
    assert load_settings().database_url == "postgresql://one"
    load_settings.cache_clear()
    monkeypatch.setenv("ECGLENS_DATABASE_URL", "postgresql://two")
    assert load_settings().database_url == "postgresql://two"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("HTTPS", "perhaps", "expected true or false, got 'perhaps'; correct it"),
        ("PROXIES", "-1", "expected a whole number of at least 0, got '-1'"),
        ("MAX_UPLOAD_MB", "0", "expected a number greater than 0, got '0'"),
        ("MAX_UPLOAD_MB", "nan", "expected a number greater than 0, got 'nan'"),
        ("RETENTION_DAYS", "1.5", "expected a whole number of at least 0, got '1.5'"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_its_name(monkeypatch, name, text, reason):
    monkeypatch.setenv(f"ECGLENS_{name}", text)
    with pytest.raises(SettingsError, match=f"^Setting ECGLENS_{name} cannot be used: {reason}.*\\.$"):
        load_settings()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"ECGLENS_MODEL=x\nECGLENS_MAIL_FROM=M\xfcller\n",
            "Expected text in UTF-8 in the file .env, got .* in line 2",
        ),
        (b"# one\nECGLENS_MODEL is tiny\n", "Expected NAME=value in line 2 of the file .env, got something else"),
        (b"ECGLENS_DEBUG\n", "Expected NAME=value in line 1 of the file .env"),
        (b'ECGLENS_MODEL="tiny\n', "Expected NAME=value in line 1 of the file .env"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_place(tmp_path, content, reason):
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsError, match=reason):
        load_settings()


def test_a_file_that_may_not_be_read_is_refused(monkeypatch, tmp_path):
    (tmp_path / ".env").touch()

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(SettingsError, match=r"file \.env, but it cannot be read: Permission denied; correct its perm"):
        load_settings()


def test_a_line_of_another_program_is_left_out_with_a_warning(tmp_path):
    (tmp_path / ".env").write_text("source other.sh\nECGLENS_MODEL=tiny\nOTHER=1\n")
    with pytest.warns(SettingsWarning, match=r"Expected NAME=value in line 1 of the file \.env") as caught:
        assert load_settings().model == "tiny"
    assert len(caught) == 1


def test_a_file_with_a_mark_of_its_encoding_is_read(tmp_path):
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfECGLENS_MODEL=tiny\r\n")
    assert load_settings().model == "tiny"


def test_a_folder_in_place_of_the_file_is_a_warning_unless_it_is_a_virtual_environment(tmp_path):
    (tmp_path / ".env").mkdir()
    with pytest.warns(SettingsWarning, match=r"Expected settings in the file \.env, got a folder; remove it"):
        assert load_settings() == Settings()
    load_settings.cache_clear()
    (tmp_path / ".env" / "pyvenv.cfg").touch()
    assert load_settings() == Settings()


@pytest.mark.parametrize("place", ["file", "environment"])
@pytest.mark.parametrize(
    ("name", "nearest"), [("ECGLENS_REDCAT", "REDACT"), ("Ecglens_Retention_Day", "RETENTION_DAYS")]
)
def test_a_misspelled_name_is_refused_with_the_nearest_one(monkeypatch, tmp_path, place, name, nearest):
    if place == "file":
        (tmp_path / ".env").write_text(f"{name}=1\n")
    else:
        monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=f"got {name.upper()}; did you mean ECGLENS_{nearest}\\?"):
        load_settings()


def test_a_name_with_our_prefix_that_is_no_setting_is_a_warning(monkeypatch):
    monkeypatch.setenv("ECGLENS_TOKEN", "ecgl_1")
    assert load_settings() == Settings()
    load_settings.cache_clear()
    monkeypatch.setenv("ECGLENS_HOSTNAME_OF_PROXY", "x")
    with pytest.warns(SettingsWarning, match="ECGLENS_HOSTNAME_OF_PROXY is not a setting of ecglens and has no effect"):
        assert load_settings() == Settings()
