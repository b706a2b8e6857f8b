from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.wearables import looks_like_apple_health, looks_like_polar, read_apple_health, read_polar

ENGLISH = """Name,Ada Example
Date of Birth,"Jan 1, 1980"
Recorded Date,2019-03-28 09:00:00 +0100
Classification,Sinus Rhythm
Symptoms,
Software Version,1.20
Device,"Watch4,4"
Sample Rate,512.414 hertz


Lead,Lead I
Unit,µV

-202
-318.5
"""
GERMAN = """Name,Ada Beispiel
Geburtsdatum,01.01.1980
Messrate,512 Hz
Ableitung,Ableitung I
Einheit,µV

-202,25
"318,5"
"""


@pytest.mark.parametrize(
    ("text", "rate", "values"), [(ENGLISH, 512.414, [-0.202, -0.3185]), (GERMAN, 512.0, [-0.20225, 0.3185])]
)
def test_exports_of_apple_health_in_more_than_one_language(
    text: str, rate: float, values: list[float], tmp_path: Path
) -> None:
    (tmp_path / "ecg.csv").write_text(text, "utf-8-sig")
    record = read_apple_health(tmp_path / "ecg.csv")
    assert (record.leads, record.fs_hz) == (("I",), rate)
    np.testing.assert_allclose(record.signals_mv[0], values, atol=1e-6)
    assert not any("Ada" in comment or "1980" in comment for comment in record.comments)
    assert looks_like_apple_health(text.encode())


def test_a_text_among_the_values_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ecg.csv").write_text(ENGLISH + "lost\n", "utf-8")
    with pytest.raises(DatasetError, match=r"Expected a number in each line after the header of ecg\.csv"):
        read_apple_health(tmp_path / "ecg.csv")


@pytest.mark.parametrize("line", ["Sample Rate,512.414 hertz\n", "Unit,µV\n"])
def test_an_export_without_rate_or_unit_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "ecg.csv").write_text(ENGLISH.replace(line, ""), "utf-8")
    assert not looks_like_apple_health(ENGLISH.replace(line, "").encode())
    with pytest.raises(DatasetError, match="Expected a rate in Hz and a unit of voltage"):
        read_apple_health(tmp_path / "ecg.csv")


def polar(times_ns: list[int]) -> str:
    header = "Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]\n"
    rows = (f"2020-01-15T09:00:00.553;{time};0.0;{number * 10}\n" for number, time in enumerate(times_ns))
    return header + "".join(rows)


def test_samples_that_a_polar_sensor_lost_are_unknown(tmp_path: Path) -> None:
    step = 7_692_308
    (tmp_path / "log.txt").write_text(polar([10**18 + step * place for place in (0, 1, 2, 5, 6)]))
    record = read_polar(tmp_path / "log.txt")
    assert record.fs_hz == 130.0
    np.testing.assert_allclose(record.signals_mv[0], [0, 0.01, 0.02, np.nan, np.nan, 0.03, 0.04], atol=1e-6)
    assert looks_like_polar(polar([0]).encode())


@pytest.mark.parametrize("times", [[], [0], [5, 5, 6], [10, 5], [0, 10**7, 10**15]])
def test_times_that_make_no_signal_are_refused(times: list[int], tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(polar(times))
    with pytest.raises(DatasetError, match=r"Expected times that increase, without gaps"):
        read_polar(tmp_path / "log.txt")


def test_other_columns_and_rates_are_refused(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(polar([0, 1]))
    with pytest.raises(DatasetError, match="Expected 50 to 2000 samples a second"):
        read_polar(tmp_path / "log.txt")
    (tmp_path / "log.txt").write_text("a;b\n1;2\n")
    with pytest.raises(DatasetError, match="Expected the columns sensor timestamp"):
        read_polar(tmp_path / "log.txt")


def test_a_number_of_a_lead_in_a_name_is_no_lead(tmp_path: Path) -> None:
    (tmp_path / "ecg.csv").write_text(ENGLISH.replace("Ada Example", "Elizabeth II"), "utf-8")
    assert read_apple_health(tmp_path / "ecg.csv").leads == ("I",)
    (tmp_path / "ecg.csv").write_text(ENGLISH.replace("Lead I", "Lead II"), "utf-8")
    assert read_apple_health(tmp_path / "ecg.csv").leads == ("II",)


@pytest.mark.parametrize(
    ("rate", "lead", "unit"),
    [
        ("512 ヘルツ", "II誘導", "µV"),
        ("512 герц", "Отведение II", "мкВ"),
        ("512 hercios", "Derivación II", "μV"),
        ("512赫兹", "II 导联", "uV"),
    ],
)
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_languages_with_other_letters_and_separators_are_read(
    rate: str, lead: str, unit: str, separator: str, encoding: str, tmp_path: Path
) -> None:
    rows = [("名前", "X"), ("Rate", rate), ("Lead", lead), ("Unit", unit), (), ("-202.5",), ("318",)]
    content = "\n".join(separator.join(row) for row in rows).encode(encoding)
    (tmp_path / "ecg.csv").write_bytes(content)
    assert looks_like_apple_health(content)
    record = read_apple_health(tmp_path / "ecg.csv")
    assert (record.leads, record.fs_hz) == (("II",), 512.0)
    np.testing.assert_allclose(record.signals_mv[0], [-0.2025, 0.318], atol=1e-6)
