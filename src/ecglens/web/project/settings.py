"""Django's settings, all of them derived from ``ecglens.settings``."""

from email.utils import parseaddr
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from django.utils.translation import gettext_lazy as _

from ecglens.errors import SettingsError
from ecglens.settings import load_settings
from ecglens.web.http.database import configure_database
from ecglens.web.http.keys import check_settings, create_private_folder, load_secret_key
from ecglens.web.http.uploads import FORM_BYTES
from ecglens.web.project.mail import configure_mail

_settings = load_settings()
_here = Path(__file__).resolve().parent

DEBUG = _settings.debug
ALLOWED_HOSTS = [host.strip() for host in _settings.allowed_hosts.split(",") if host.strip()]
check_settings(secret_key=_settings.secret_key, debug=DEBUG, hosts=ALLOWED_HOSTS)
SECRET_KEY = load_secret_key(_settings.secret_key, create_private_folder(_settings.data_dir))

ROOT_URLCONF = "ecglens.web.project.urls"
WSGI_APPLICATION = "ecglens.web.project.wsgi.application"
INSTALLED_APPS = [
    "ecglens.web.project",
    "ecglens.web.operations",
    "ecglens.web.accounts",
    "ecglens.web.readings",
    "ecglens.web.cases",
    "ecglens.web.streams",
    "ecglens.web.catalog",
    "ecglens.web.api",
    "ninja",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    *(["allauth.socialaccount", "allauth.socialaccount.providers.openid_connect"] if _settings.openid_url else []),
    "django_tasks",
    "django_tasks_db",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "ecglens.web.http.guards.add_headers",
    "ecglens.web.http.guards.decode_as_utf8",
    "ecglens.web.http.guards.answer_head",
    "ecglens.web.http.metrics.count_requests",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "ecglens.web.accounts.guards.require_second_factor_for_staff",
    "ecglens.web.accounts.uploads.check_uploads",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "ecglens.web.http.context.site",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

DATABASES = {"default": configure_database(_settings.database_url, _settings.data_dir)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "ecglens.web.http.cache.LastingCache", "LOCATION": "project_cache"}}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "pages": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": _settings.s3_bucket,
            "endpoint_url": _settings.s3_endpoint or None,
            "default_acl": None,
            "querystring_auth": True,
        },
    }
    if _settings.s3_bucket
    else {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": str(_settings.data_dir / "pages"),
            "base_url": None,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
LOCALE_PATHS = [_here.parent / "locale"]
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_TZ = True
TIME_ZONE = _settings.time_zone
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False

MAX_UPLOAD_BYTES = int(_settings.max_upload_mb * 1024**2)
MAX_BATCH_BYTES = int(_settings.max_batch_mb * 1024**2)
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
FILE_UPLOAD_MAX_MEMORY_SIZE = MAX_UPLOAD_BYTES + FORM_BYTES
FILE_UPLOAD_TEMP_DIR = str(create_private_folder(_settings.data_dir / "uploads"))
DATA_UPLOAD_MAX_NUMBER_FILES = 500

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {"user_attributes": ("email",)}),
        ("MinimumLengthValidator", {"min_length": 12}),
        ("CommonPasswordValidator", {}),
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "disease-predict"
ACCOUNT_ADAPTER = "ecglens.web.accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if _settings.mail_url else "optional"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "ecglens: "
ACCOUNT_LOGOUT_REDIRECT_URL = "start"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_FORMS = {"signup": "ecglens.web.accounts.forms.SignUpForm"}
ACCOUNT_SESSION_REMEMBER = None
ACCOUNT_EMAIL_NOTIFICATIONS = bool(_settings.mail_url)
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ALLAUTH_TRUSTED_PROXY_COUNT = _settings.proxies
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "ecglens"
MFA_FORMS = {
    f"{step}_webauthn": f"ecglens.web.accounts.passkeys.{step.title()}PasskeyForm"
    for step in ("add", "authenticate", "login", "reauthenticate")
}
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _settings.https
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "openid",
                "name": _settings.openid_name,
                "client_id": _settings.openid_client,
                "secret": _settings.openid_secret,
                "settings": {"server_url": _settings.openid_url},
            }
        ],
    }
}

globals().update(configure_mail(_settings.mail_url, _settings.data_dir / "mail"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = _settings.mail_from
if "@" not in parseaddr(_settings.mail_from)[1]:
    raise SettingsError("Expected an address with an @ as ECGLENS_MAIL_FROM, got none; set one.")
if _settings.time_zone not in available_timezones():
    raise SettingsError(
        f"Expected a time zone such as Europe/Berlin as ECGLENS_TIME_ZONE, got '{_settings.time_zone}'; set another."
    )

SESSION_COOKIE_AGE = 14 * 24 * 3600
_prefix = "__Host-" if _settings.https else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_prefix}sessionid", f"{_prefix}csrftoken"
LANGUAGE_COOKIE_NAME = f"{_prefix}django_language"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _settings.https
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_AGE = None
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_FAILURE_VIEW = "ecglens.web.project.views.form_expired"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _settings.https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _settings.proxies else None
USE_X_FORWARDED_HOST = bool(_settings.proxies)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s", "datefmt": "%Y-%m-%dT%H:%M:%S%z"}
    },
    "filters": {"secrets": {"()": "ecglens.web.http.log_redaction.SecretsFilter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secrets"]}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django.security.DisallowedHost": {"handlers": [], "level": "CRITICAL", "propagate": False},
        "django_tasks_db": {"handlers": [], "level": "ERROR", "propagate": True},
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
