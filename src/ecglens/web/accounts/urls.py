"""Routes of the account's own pages; those for logging in and signing up are django-allauth's."""

from django.urls import path

from ecglens.web.accounts import views

urlpatterns = [
    path("", views.account, name="account"),
    path("tokens", views.make_token, name="make-token"),
    path("tokens/<uuid:pk>/revoke", views.revoke_token, name="revoke-token"),
    path("redaction", views.set_redaction, name="set-redaction"),
    path("data", views.download, name="download-data"),
    path("delete", views.delete, name="delete-account"),
]
