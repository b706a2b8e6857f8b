import pytest

from ecglens.formats.names import is_lead_name, names_ecg, plain_name


@pytest.mark.parametrize(
    ("name", "plain"), [("II-rhythm_2", "II-rhythm_2"), ("a b/c.d", "a_b_c_d"), ("Übung 1", "_bung_1"), ("", "")]
)
def test_other_characters_become_underscores(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    "name",
    ["I", "avr", "-aVR", "V3R", "II-rhythm", "II-2", "vx", "X", "MLII", "ML5", "MCL1", "CM5", "CC5", "ES", "A-S", "AI"]
    + ["ECG", "EKG II", "ECG 2", "Lead 1", "channel 3", "ch12", "DII", "V", "LA-RA", "?", "?-2"],
)
def test_names_of_leads_and_channels_are_no_free_text(name: str) -> None:
    assert is_lead_name(name)


@pytest.mark.parametrize(
    "name", ["Zebulon", "Zebulon I", "ECG Zebulon", "I Zebulon", "Lead Ann", "Vi", "1950-01-01", ""]
)
def test_other_names_are_free_text(name: str) -> None:
    assert not is_lead_name(name)


@pytest.mark.parametrize(
    "label", ["II", "aVR", "ECG_clean", "raw ecg", "ECG (lead II)", "EKG-1", "Lead 2", "-aVR", "V5"]
)
def test_labels_say_that_a_signal_is_an_ecg(label: str) -> None:
    assert names_ecg(label)


@pytest.mark.parametrize(
    "label", ["", "ECG_Rate", "heart_rate", "temp_C", "acc_x", "x", "V", "AI", "signal", "EEG", "lead"]
)
def test_other_labels_do_not(label: str) -> None:
    assert not names_ecg(label)
