import pytest

from ecglens.errors import SettingsError
from ecglens.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch, tmp_path):
    """Remove every setting from the environment, and change to a folder without .env."""
    for name in Settings.__struct_fields__:
        monkeypatch.delenv(f"ECGLENS_{name.upper()}", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
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
