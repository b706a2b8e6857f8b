"""Layouts fitted to lead names."""

import numpy as np

from ecglens.leads.fit import fit_layout
from ecglens.leads.name_shapes import Word


def test_three_names_and_adding_leads_identify_the_layout() -> None:
    zeros, span = 100.0 + 50 * np.arange(12), (86.0, 1087.0)
    rows = {"II": 1, "III": 2, "aVF": 5}
    words = [Word(name, 0.97, int(zeros[row]) - 12, 95, int(zeros[row]) - 4, 103) for name, row in rows.items()]
    standard = {"12x1": 0.7}
    fit = fit_layout(words, zeros, span, adds_up=lambda plan: standard.get(plan.name, 0.0), pulsed=True)
    assert fit is not None
    assert fit.plan.name == "12x1"
    assert fit_layout(words, zeros, span, adds_up=lambda plan: 0.3, pulsed=True) is None
    cabrera = {"12x1-cabrera": 0.7}
    assert fit_layout(words, zeros, span, adds_up=lambda plan: cabrera.get(plan.name, 0.0), pulsed=True) is None
    assert fit_layout(words, zeros, span, adds_up=lambda plan: standard.get(plan.name, 0.0)) is None


def test_one_line_shows_the_lead_whose_name_is_at_its_head() -> None:
    zeros, span = np.array([200.0]), (86.0, 1087.0)
    for name in ("I", "V5"):
        fit = fit_layout([Word(name, 0.97, 170, 95, 178, 103)], zeros, span)
        assert fit is not None
        assert (fit.plan.name, fit.plan.rows) == ("1x1", ((name,),))
    assert fit_layout([], zeros, span) is None
