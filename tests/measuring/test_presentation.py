from ecglens.measuring.presentation import list_figures, list_missing, list_st_leads
from ecglens.records import Measured, Measurements


def test_a_figure_just_outside_its_range_does_not_read_as_the_limit():
    above, within = (
        list_figures(Measurements(qrs_ms=Measured(ms, 4.0, "ms", (70.0, 110.0))))[0] for ms in (110.3, 109.8)
    )

    assert (above.value, above.position) == ("110.3", "above")
    assert (within.value, within.position) == ("110", "within")


def test_ranges_open_on_one_side_are_said_in_words():
    figure = list_figures(Measurements(p_ms=Measured(98.0, 8.0, "ms", (None, 120.0))))[0]

    assert (figure.value, figure.error, figure.reference, figure.position) == ("98", "± 8", "up to 120", "within")


def test_an_error_is_never_shown_as_nothing():
    assert list_figures(Measurements(rate_bpm=Measured(60.0, 0.01, "1/min", (60.0, 100.0))))[0].error == "± 1"


def test_the_basic_rate_is_listed_only_where_it_differs():
    rate, near, far = (Measured(value, 0.1, "1/min") for value in (70.0, 70.6, 62.0))

    assert len(list_figures(Measurements(rate_bpm=rate, basic_rate_bpm=near))) == 1
    assert [figure.value for figure in list_figures(Measurements(rate_bpm=rate, basic_rate_bpm=far))] == ["70", "62"]


def test_leads_come_in_their_usual_order_and_what_they_lack_is_named():
    level = Measured(-0.002, 0.01, "mV", (-0.05, 0.1))
    result = Measurements(
        st_j_mv={"V1": level, "-aVR": level, "I": None}, st_j60_mv={"V1": level, "-aVR": level, "I": level}
    )

    assert [lead.lead for lead in list_st_leads(result)] == ["I", "-aVR", "V1"]
    assert list_st_leads(result)[2].at_j.value == "0.00"
    assert list_missing(result)[-1] == "ST in I"
