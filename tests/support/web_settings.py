"""The site's settings for tests: a folder of its own, quick hashes, the database of ``ECGLENS_TEST_DATABASE``."""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="ecglens-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["ECGLENS_DATA_DIR"] = _folder
os.environ["ECGLENS_DATABASE_URL"] = os.environ.get("ECGLENS_TEST_DATABASE", "")

from ecglens.web.project.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
# Otherwise each of a thousand test clients lists all static files.
WHITENOISE_AUTOREFRESH = True
