"""Pages about the installed models, for users and visitors."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ecglens.models.cards import ModelCard
from ecglens.models.registry import list_default_models, list_models
from ecglens.web.catalog.presentation import compare_models, present_model, summarize_model

__all__ = ["compare", "model", "models"]

_MIN_COMPARED = 2


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """Show every installed model, the default first."""
    default = list_default_models()
    summaries = sorted((summarize_model(card, default) for card in list_models()), key=lambda each: not each.is_default)
    return render(request, "catalog/models.html", {"models": summaries, "several": len(summaries) >= _MIN_COMPARED})


@require_safe
def model(request: HttpRequest, name: str) -> HttpResponse:
    """Show one model: its card and its evaluation."""
    cards = _cards_by_name()
    if name not in cards:
        raise Http404
    view = present_model(cards[name], list_default_models())
    return render(request, "catalog/model.html", {"view": view, "others": [other for other in cards if other != name]})


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Show models side by side; with fewer than two, only the form to select them."""
    cards, default = _cards_by_name(), list_default_models()
    names = list(dict.fromkeys(request.GET.getlist("with")))
    if not set(names) <= cards.keys():
        raise Http404
    comparison = compare_models([cards[name] for name in names], default) if len(names) >= _MIN_COMPARED else None
    choices = [(card, card.name in names) for card in cards.values()]
    return render(request, "catalog/compare.html", {"comparison": comparison, "choices": choices})


def _cards_by_name() -> dict[str, ModelCard]:
    return {card.name: card for card in list_models()}
