"""django-allauth's forms of security keys and passkeys, which anyone may send anything to.

A browser sends what its key signed as JSON. django-allauth refuses some of what is none, but a missing part or a deeply
nested one raises an error in fido2 that nothing catches; the field here refuses everything that fido2 cannot read.
"""

import struct
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.forms.fields import InvalidJSONInput
from fido2.webauthn import AuthenticationResponse, RegistrationResponse

from ecglens.documents import parse_json

__all__ = ["AddPasskeyForm", "AuthenticatePasskeyForm", "LoginPasskeyForm", "ReauthenticatePasskeyForm"]

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, struct.error)
"""Errors of fido2's decoders of JSON and CBOR."""


class _CredentialField(forms.JSONField):
    """Answer of a key as JSON."""

    widget = forms.HiddenInput

    def __init__(self, kind: type[AuthenticationResponse | RegistrationResponse]) -> None:
        super().__init__()
        self._kind = kind

    def to_python(self, value: Any) -> Any:
        """Return the answer as a dictionary that fido2 can read."""
        if value in self.empty_values:
            return None
        try:
            credential = parse_json(value)
            self._kind.from_dict(credential)
        except _UNREADABLE as error:
            raise get_adapter().validation_error("incorrect_code") from error
        return credential

    def bound_data(self, data: Any, initial: Any) -> InvalidJSONInput:
        """Return nothing: a form that is shown again needs a new answer."""
        return InvalidJSONInput("")


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """Adds a key to an account."""

    credential = _CredentialField(RegistrationResponse)


class AuthenticatePasskeyForm(AuthenticateWebAuthnForm):  # type: ignore[misc]  # as above
    """Takes a key as the second factor of a login."""

    credential = _CredentialField(AuthenticationResponse)


class LoginPasskeyForm(LoginWebAuthnForm):  # type: ignore[misc]  # as above
    """Logs in with a key alone."""

    credential = _CredentialField(AuthenticationResponse)


class ReauthenticatePasskeyForm(ReauthenticateWebAuthnForm):  # type: ignore[misc]  # as above
    """Takes a key of someone who is logged in, before an important change."""

    credential = _CredentialField(AuthenticationResponse)
