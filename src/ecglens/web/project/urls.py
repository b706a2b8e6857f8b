"""Routes of the whole site."""

from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from ecglens.web.readings import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="disease-predict"), name="start"),
    path("disease-predict", views.disease_predict, name="disease-predict"),
    path("healthz", views.healthz, name="healthz"),
]

handler400 = "ecglens.web.readings.views.bad_request"
handler404 = "ecglens.web.readings.views.not_found"
