"""The installed models."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Router

from ecglens.models.registry import list_models
from ecglens.web.api import schemas
from ecglens.web.api.told import evaluation_told, model_told

__all__ = ["router"]

router = Router(tags=["Models"])


@router.get("", response=list[schemas.Model], summary="List models")
def list_installed(request: HttpRequest) -> list[dict[str, Any]]:
    """Every installed model."""
    return [model_told(card) for card in list_models()]


@router.get("/{name}", response=schemas.ModelInFull, summary="Get a model")
def show_model(request: HttpRequest, name: str) -> dict[str, Any]:
    """A model's card, and how good it was on pages that it had not seen."""
    card = next((each for each in list_models() if each.name == name), None)
    if card is None:
        raise Http404
    return {**model_told(card), "evaluation": evaluation_told(card)}
