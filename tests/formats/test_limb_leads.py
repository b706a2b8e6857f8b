from dataclasses import replace

import numpy as np
import pytest

from ecglens.formats.limb_leads import derive_limb_leads
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord

LIMB = {"I": 1.0, "II": 3.0, "III": 2.0, "aVR": -2.0, "aVL": -0.5, "aVF": 2.5}


def record_of(*leads: str) -> EcgRecord:
    return EcgRecord(np.array([[LIMB.get(lead, 9.0)] for lead in leads], np.float32), 500.0, leads)


CHEST = STANDARD_LEADS[6:]


@pytest.mark.parametrize("pair", [("I", "II"), ("II", "III"), ("III", "I")])
def test_each_pair_gives_the_six(pair: tuple[str, str]) -> None:
    derived = derive_limb_leads(record_of(*CHEST, *pair))
    assert derived.leads == STANDARD_LEADS
    np.testing.assert_allclose(derived.signals_mv[:, 0], [*LIMB.values(), *[9.0] * 6])
    assert derived.comments[-1].endswith(f"computed from {' and '.join(sorted(pair))}")


def test_the_twelve_leads_are_put_in_order_and_none_is_changed() -> None:
    record = record_of("V1", "V2", "V3", "V4", "V5", "V6", *reversed(LIMB))
    ordered = derive_limb_leads(replace(record, leads=tuple(record.leads)))
    assert ordered.leads == STANDARD_LEADS
    assert ordered.comments == ()


@pytest.mark.parametrize(
    "record",
    [
        record_of("I", *CHEST),
        record_of("I", "II", "III"),
        record_of("I", "II", "V1", "V5"),
        record_of("I", "II", "II", *CHEST),
        replace(record_of("I", "II", *CHEST), start_s=(0.0, *[2.5] * 7)),
        replace(record_of("I", "II", *CHEST), quality=(1.0,) * 8),
    ],
)
def test_other_records_are_returned_as_they_are(record: EcgRecord) -> None:
    assert derive_limb_leads(record) is record
