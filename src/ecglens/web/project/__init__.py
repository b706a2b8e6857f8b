"""The Django project: settings, routes, the start page and error pages."""
