from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.contec import looks_like_contec, read_contec


def contec(samples: list[list[int]], *, sex: int = 255, age: int = 0) -> bytes:
    header = b"0000053\0\0\0" + b"2020-11-24 07:19:13\0" + b"\0\0" + b"NAME\0\0\0\0" + bytes([sex, age, 0])
    return header + np.array(samples, "<u2").tobytes() + bytes(37)


def test_zero_step_and_order_of_the_leads(tmp_path: Path) -> None:
    (tmp_path / "a.ECG").write_bytes(contec([[2048 + 100, 2048 - 40, 2048, 2049, 2050, 2051, 2052, 0x6800]] * 2))
    record = read_contec(tmp_path / "a.ECG")
    assert record.fs_hz == 800.0
    by_lead = dict(zip(record.leads, record.signals_mv[:, 0].tolist(), strict=True))
    assert list(by_lead) == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert by_lead["I"] == pytest.approx(0.7)
    assert (by_lead["II"], by_lead["III"], by_lead["V2"]) == pytest.approx((0.5, -0.2, 0.005))
    assert np.isnan(by_lead["V6"])
    assert any("not documented" in warning for warning in record.warnings)


def test_age_and_sex_are_taken_over_and_the_name_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.ECG").write_bytes(contec([[2048] * 8], sex=1, age=61))
    comments = read_contec(tmp_path / "a.ECG").comments
    assert comments[:2] == ("age: 61", "sex: male")
    assert not any("NAME" in comment or "2020" in comment for comment in comments)


@pytest.mark.parametrize("content", [b"", contec([[2048] * 8])[:-1], contec([]), b"x" * 200])
def test_what_is_cut_off_or_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.ECG").write_bytes(content)
    with pytest.raises(DatasetError, match=r"Expected a Contec ECG90A file of eight leads at a\.ECG"):
        read_contec(tmp_path / "a.ECG")


def test_the_header_is_its_mark() -> None:
    assert looks_like_contec(contec([]))
    assert not looks_like_contec(b"0000053 and some text that follows a number of seven digits")
