from dataclasses import replace

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.gaps import refuse_gaps
from ecglens.records import EcgRecord


def test_leads_with_gaps_are_refused_by_name(whole: EcgRecord) -> None:
    with pytest.raises(DatasetError, match="since EDF cannot hold them, got gaps in aVR, V6; write WFDB"):
        refuse_gaps(whole, "EDF")


def test_a_page_of_many_short_leads_is_refused_in_a_short_sentence(page: EcgRecord) -> None:
    with pytest.raises(DatasetError, match="got gaps in I, II, III and 9 others; write WFDB"):
        refuse_gaps(page.on_one_clock(), "aECG")


def test_whole_leads_pass(whole: EcgRecord) -> None:
    refuse_gaps(replace(whole, signals_mv=np.nan_to_num(whole.signals_mv)), "EDF")
