"""Logs without secrets: tokens, passwords and the keys in addresses are replaced by asterisks."""

import logging
import re

__all__ = ["SecretsFilter", "redact_secrets"]

_SECRETS = (
    re.compile(r"ecgl_[\w-]{10,}"),
    re.compile(r"(?<=Bearer )\S+", re.IGNORECASE),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(r"(?<=/accounts/password/reset/key/)[^/\s]+"),
    re.compile(r"(?<=/accounts/confirm-email/)[^/\s]+"),
    re.compile(r"(?<=/shared/)[^/\s]+"),
    re.compile(r"(?i)(?<=password=)[^&\s]+"),
)
_MAX_CHARS = 2000
"""Length of a message from which it is cut: an address of 60 KB is no news."""
_LINE_BREAKS = {ord(mark): repr(mark)[1:-1] for mark in "\r\n\v\f\x1b\x85\u2028\u2029"}
"""A request's path may contain them, and what follows would look like a line of its own."""


def redact_secrets(text: str) -> str:
    """Return the text with everything that could be a secret replaced by asterisks.

    >>> redact_secrets("GET /accounts/confirm-email/MQ:1abc:xyz/ by Bearer ecgl_0123456789abc")
    'GET /accounts/confirm-email/***/ by Bearer ***'
    """
    for secret in _SECRETS:
        text = secret.sub("***", text)
    return text


class SecretsFilter(logging.Filter):
    """Redacts secrets in log records, in tracebacks too."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record and shorten it; none is dropped, and only errors keep their tracebacks."""
        message = redact_secrets(record.getMessage()).translate(_LINE_BREAKS)
        if len(message) > _MAX_CHARS:
            message = f"{message[:_MAX_CHARS]}... ({len(message)} characters)"
        record.msg, record.args = message, ()
        if record.levelno < logging.ERROR:
            record.exc_info = record.exc_text = None
        if record.exc_info:
            record.exc_text = redact_secrets(logging.Formatter().formatException(record.exc_info))
        return True
