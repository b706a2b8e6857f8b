"""Routes of streams."""

from django.urls import path

from ecglens.web.streams import views

urlpatterns = [
    path("streams/", views.streams, name="streams"),
    path("streams/<uuid:pk>/", views.show_stream, name="stream"),
    path("streams/<uuid:pk>/events", views.events, name="stream-events"),
    path("streams/<uuid:pk>/live", views.receive, name="stream-live"),
    path("streams/<uuid:pk>/recording", views.switch, name="stream-recording"),
    path("streams/<uuid:pk>/reading", views.make_reading, name="stream-reading"),
    path("streams/<uuid:pk>/download", views.download, name="stream-download"),
    path("streams/<uuid:pk>/delete", views.delete_stream, name="delete-stream"),
]
