"""Routes of cases, links and reviews."""

from django.urls import path

from ecglens.web.cases import review_views, views

urlpatterns = [
    path("cases/", views.cases, name="cases"),
    path("cases/add", views.add_to_case, name="add-to-case"),
    path("cases/<uuid:pk>/", views.case, name="case"),
    path("cases/<uuid:pk>/delete", views.delete_case, name="delete-case"),
    path("cases/<uuid:pk>/share", views.share, name="share-case"),
    path("cases/shares/<uuid:pk>/delete", views.delete_share, name="delete-share"),
    path("cases/readings/<uuid:pk>/change", views.change_member, name="change-member"),
    path("cases/readings/<uuid:pk>/remove", views.remove_member, name="remove-member"),
    path("shared/<str:key>/", views.shared_case, name="shared-case"),
    path("shared/<str:key>/<uuid:pk>/", views.shared_reading, name="shared-reading"),
    path("shared/<str:key>/<uuid:pk>/page", views.shared_page, name="shared-page"),
    path("shared/<str:key>/<uuid:pk>/pictures/<str:name>", views.shared_picture, name="shared-picture"),
    path("review/", review_views.next_to_review, name="next-to-review"),
    path("review/agreement", review_views.agreement, name="agreement"),
    path("review/data-set.zip", review_views.reviewed_data_set, name="reviewed-data-set"),
    path("review/<uuid:pk>/", review_views.review, name="review"),
]
