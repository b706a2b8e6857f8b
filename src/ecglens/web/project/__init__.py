"""The Django project: settings, routes, security headers."""
