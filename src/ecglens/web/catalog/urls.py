"""Routes of the installed models."""

from django.urls import path

from ecglens.web.catalog import views

urlpatterns = [path("models", views.models, name="models")]
