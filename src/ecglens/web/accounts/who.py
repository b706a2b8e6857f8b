"""Who asks."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from ecglens.web.accounts.models import User

__all__ = ["user_of"]


def user_of(request: HttpRequest) -> User:
    """The account that a request comes from.

    Raises:
        PermissionDenied: It comes from none.
    """
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
