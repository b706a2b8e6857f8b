"""Django's settings, all of them derived from ``ecglens.settings``."""

import secrets

from ecglens.settings import load_settings

_settings = load_settings()

DEBUG = _settings.debug
SECRET_KEY = _settings.secret_key or secrets.token_urlsafe(50)
ALLOWED_HOSTS = [host.strip() for host in _settings.allowed_hosts.split(",") if host.strip()]

ROOT_URLCONF = "ecglens.web.project.urls"
WSGI_APPLICATION = "ecglens.web.project.wsgi.application"
INSTALLED_APPS = ["django.contrib.staticfiles", "ecglens.web.readings"]
MIDDLEWARE = [
    "ecglens.web.project.guards.headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "ecglens.web.project.guards.upload_limit",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES: dict[str, dict[str, object]] = {}

LANGUAGE_CODE = "en"
USE_TZ = True
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False

MAX_UPLOAD_BYTES = int(_settings.max_upload_mb * 1024**2)
FORM_OVERHEAD_BYTES = 64 * 1024
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = MAX_UPLOAD_BYTES + FORM_OVERHEAD_BYTES

CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_AGE = None
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_FAILURE_VIEW = "ecglens.web.readings.views.form_expired"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
