"""Routes of the installed models."""

from django.urls import path

from ecglens.web.catalog import views

urlpatterns = [
    path("models", views.models, name="models"),
    path("models/compare", views.compare, name="compare-models"),
    path("models/<str:name>", views.model, name="model"),
]
