"""The web application: upload ECG pages, view and export their readings, and the same for programs by an API."""
