from dataclasses import replace

import numpy as np

from ecglens.datasets.recordings import Recordings
from ecglens.external_validation import damage_pages, damage_section


def test_damage_is_counted_from_none_to_the_most(table, runtime):
    results = damage_pages(
        table, runtime, pages=2, rng=np.random.default_rng(0), kinds=("noise", "fold"), strengths=(1.0,)
    )
    assert [(one.kind, one.strength, one.pages) for one in results] == [
        ("noise", 0.0, 2),
        ("noise", 1.0, 2),
        ("fold", 0.0, 2),
        ("fold", 1.0, 2),
    ]
    assert all(one.right == 2 for one in results if one.strength == 0)
    assert results[3].right + results[3].wrong + results[3].refused == 2
    section = damage_section(results)
    assert section.rows[1][:2] == ("noise", "1.00 (0.16 to 1.00), 0.00")
    assert section.pictures["damage"].startswith(b"\x89PNG")


def test_damaged_pages_of_one_group_have_no_interval(table, runtime):
    alone = Recordings((replace(table[0], group="g"),))
    results = damage_pages(alone, runtime, pages=5, rng=np.random.default_rng(0), kinds=("noise",), strengths=(0.5,))
    assert [(one.pages, one.interval) for one in results] == [(1, None), (1, None)]
    assert damage_section(results).rows[1][1] == "1.00 (-), 0.00"
    assert damage_pages(alone, runtime, pages=0, rng=np.random.default_rng(0)) == ()
