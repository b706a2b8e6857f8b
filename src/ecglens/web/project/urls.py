"""Routes of the site."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from ecglens.web.accounts.views import change_addresses
from ecglens.web.operations.health import healthz, readyz
from ecglens.web.operations.metrics import metrics
from ecglens.web.project import views

admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # as allauth documents it

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.start, name="start"),
    path("", include("ecglens.web.readings.urls")),
    path("", include("ecglens.web.cases.urls")),
    path("", include("ecglens.web.catalog.urls")),
    path("", include("ecglens.web.streams.urls")),
    path("account/", include("ecglens.web.accounts.urls")),
    path("accounts/email/", change_addresses, name="account_email"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("ecglens.web.api.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
    path("sw.js", views.service_worker, name="service-worker"),
    path("offline", views.offline, name="offline"),
]

handler400 = "ecglens.web.project.views.bad_request"
handler403 = "ecglens.web.project.views.not_allowed"
handler404 = "ecglens.web.project.views.not_found"
handler500 = "ecglens.web.project.views.server_error"
