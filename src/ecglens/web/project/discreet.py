"""Logs without secrets: tokens, passwords and the keys in addresses are painted over."""

import logging
import re

__all__ = ["Discreet", "without_secrets"]

_SECRETS = (
    re.compile(r"ecgl_[\w-]{10,}"),
    re.compile(r"(?<=Bearer )\S+", re.IGNORECASE),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(r"(?<=/accounts/password/reset/key/)[^/\s]+"),
    re.compile(r"(?<=/accounts/confirm-email/)[^/\s]+"),
    re.compile(r"(?i)(?<=password=)[^&\s]+"),
)
_BREAKS = {ord(mark): repr(mark)[1:-1] for mark in "\r\n\v\f\x1b\x85\u2028\u2029"}
"""A request's path may hold them, and what follows would look like a line of its own."""


def without_secrets(text: str) -> str:
    """The text with what could be a secret painted over.

    >>> without_secrets("GET /accounts/confirm-email/MQ:1abc:xyz/ by Bearer ecgl_0123456789abc")
    'GET /accounts/confirm-email/***/ by Bearer ***'
    """
    for secret in _SECRETS:
        text = secret.sub("***", text)
    return text


class Discreet(logging.Filter):
    """Paints over secrets in what is logged, in traces of errors too."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        record.msg, record.args = without_secrets(record.getMessage()).translate(_BREAKS), ()
        if record.exc_info:
            record.exc_text = without_secrets(logging.Formatter().formatException(record.exc_info))
        return True
