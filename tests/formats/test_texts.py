import pytest

from ecglens.formats.texts import decode_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_texts_of_four_encodings_are_read(encoding: str) -> None:
    assert decode_text("I [µV]\r\n1\t2".encode(encoding)) == "I [µV]\r\n1\t2"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_last_character_of_a_beginning_may_be_cut_off(encoding: str) -> None:
    assert decode_text("a心".encode(encoding)[:-1], is_whole=False) == "a"


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0", b"\xff\xd8\xff\xe0\x00\x10JFIF", bytes(100)])
def test_other_content_is_no_text(content: bytes) -> None:
    with pytest.raises(ValueError, match="control characters are no text|codec can't decode"):
        decode_text(content)
