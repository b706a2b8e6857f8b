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
DATABASES: dict[str, dict[str, object]] = {}

LANGUAGE_CODE = "en"
USE_TZ = True
STATIC_URL = "/static/"
