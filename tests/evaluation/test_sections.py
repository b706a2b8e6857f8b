import pytest

from ecglens.evaluation.sections import Picture


@pytest.mark.parametrize(
    ("name", "data", "file"),
    [
        ("wrong-1", b"\xff\xd8\xff", "pages/wrong-1.jpg"),
        ("wrong-1", b"\x89PNG", "pages/wrong-1.png"),
        ("label-x#1%20 é/../b-1", b"\xff\xd8\xff", "pages/label-x_1_20___.._b-1.jpg"),
    ],
)
def test_the_file_of_a_picture_lies_in_the_folder_whatever_its_name(name, data, file):
    assert Picture(name, "caption", data).file == file
