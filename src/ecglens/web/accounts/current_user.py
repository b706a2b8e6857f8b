"""The account that a request comes from."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from ecglens.web.accounts.models import User

__all__ = ["get_user"]


def get_user(request: HttpRequest) -> User:
    """Return the account that a request comes from.

    Raises:
        PermissionDenied: The request is not authenticated.
    """
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
