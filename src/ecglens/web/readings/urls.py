"""Routes of uploads, readings and batches."""

from django.urls import path

from ecglens.web.readings.views import batches, edit, files, history, predict, reading

urlpatterns = [
    path("disease-predict", predict.disease_predict, name="disease-predict"),
    path("try/<slug:name>", predict.try_demo, name="try"),
    path("try/<slug:name>/page.jpg", predict.demo_page, name="demo-page"),
    path("readings/", history.history, name="history"),
    path("readings/export", history.export, name="export-readings"),
    path("readings/compare", history.compare, name="compare-readings"),
    path("readings/<uuid:pk>/", reading.show_reading, name="reading"),
    path("readings/<uuid:pk>/change", reading.change_reading, name="change-reading"),
    path("readings/<uuid:pk>/edit", edit.edit_reading, name="edit-reading"),
    path("readings/<uuid:pk>/undo", edit.undo_change, name="undo-change"),
    path("readings/<uuid:pk>/corrections.json", edit.correction_file, name="correction-file"),
    path("readings/<uuid:pk>/delete", reading.delete_reading, name="delete-reading"),
    path("readings/<uuid:pk>/page", files.page, name="reading-page"),
    path("readings/<uuid:pk>/pictures/<str:name>", files.picture, name="reading-picture"),
    path("readings/<uuid:pk>/signals/<slug:form>", files.signals, name="reading-signals"),
    path("readings/<uuid:pk>/sheet.pdf", files.sheet, name="reading-sheet"),
    path("batches/", batches.batches, name="batches"),
    path("batches/<uuid:pk>/", batches.show_batch, name="batch"),
    path("batches/<uuid:pk>/delete", batches.delete_batch, name="delete-batch"),
]
