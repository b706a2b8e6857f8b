import json

import pytest

from ecglens.documents import dump_document


def test_what_is_no_text_becomes_the_replacement_character_wherever_it_is():
    content = {"a\udcff": ["b\udcff", {"c": ("d\ud800",)}], "real": "\U0001f493 \\ud800"}
    text = dump_document("ecglens-audit", content)

    assert text.isascii()
    document = json.loads(text)
    assert document["a\ufffd"] == ["b\ufffd", {"c": ["d\ufffd"]}]
    assert document["real"] == "\U0001f493 \\ud800"


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_document("ecglens-audit", {"value": float("nan")})
