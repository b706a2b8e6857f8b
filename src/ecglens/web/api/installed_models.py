"""The installed models."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Router

from ecglens.models.registry import list_models
from ecglens.web.api import schemas
from ecglens.web.api.serializers import serialize_evaluation, serialize_model

__all__ = ["router"]

router = Router(tags=["Models"])


@router.get("", response=list[schemas.Model], summary="List models")
def list_installed(request: HttpRequest) -> list[dict[str, Any]]:
    """List every installed model."""
    return [serialize_model(card) for card in list_models()]


@router.get("/{name}", response=schemas.ModelDetails, summary="Get a model")
def show_model(request: HttpRequest, name: str) -> dict[str, Any]:
    """Get a model's card and its evaluation on pages that it was not trained on."""
    card = next((each for each in list_models() if each.name == name), None)
    if card is None:
        raise Http404
    return {**serialize_model(card), "evaluation": serialize_evaluation(card)}
