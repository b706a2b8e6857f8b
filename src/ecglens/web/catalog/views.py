"""Pages about the installed models, for everybody."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ecglens.models.cards import ModelCard
from ecglens.models.registry import list_models
from ecglens.settings import load_settings
from ecglens.web.catalog.shown import compared, show, sketch

__all__ = ["compare", "model", "models"]

_FEWEST = 2


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """Every installed model, the default first."""
    default = load_settings().model
    found = sorted((sketch(card, default) for card in list_models()), key=lambda one: not one.default)
    return render(request, "catalog/models.html", {"models": found, "several": len(found) >= _FEWEST})


@require_safe
def model(request: HttpRequest, name: str) -> HttpResponse:
    """One model: its card and what is known of its worth."""
    cards = _installed()
    if name not in cards:
        raise Http404
    shown = show(cards[name], load_settings().model)
    return render(request, "catalog/model.html", {"shown": shown, "others": [one for one in cards if one != name]})


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Models side by side; with fewer than two, the choice of them."""
    cards, default = _installed(), load_settings().model
    asked = list(dict.fromkeys(request.GET.getlist("with")))
    if not set(asked) <= cards.keys():
        raise Http404
    told = compared([cards[name] for name in asked], default) if len(asked) >= _FEWEST else None
    choices = [(card, card.name in asked) for card in cards.values()]
    return render(request, "catalog/compare.html", {"compared": told, "choices": choices})


def _installed() -> dict[str, ModelCard]:
    return {card.name: card for card in list_models()}
