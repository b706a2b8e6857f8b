import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ecglens
from ecglens.errors import EcgReadError
from ecglens.pages.read import iterate_pages, read_page

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (400, 500, 3), dtype=np.uint8)


def test_arrays_and_images_are_the_pixels_of_a_page(pixels):
    for source, name in ((pixels, "array"), (Image.fromarray(pixels), "image")):
        page = read_page(source)
        np.testing.assert_array_equal(page.pixels, pixels)
        assert (page.source, page.count) == (name, 1)


def test_gray_and_transparent_arrays_are_pages_too(pixels):
    gray = read_page(pixels[:, :, 0])
    np.testing.assert_array_equal(gray.pixels[:, :, 1], pixels[:, :, 0])
    clear = read_page(np.dstack([pixels, np.zeros((400, 500), np.uint8)]))
    assert np.all(clear.pixels == 255)


def test_an_image_is_turned_upright_by_its_orientation(pixels):
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(stream, "PNG", exif=exif)
    assert read_page(Image.open(stream)).pixels.shape == (500, 400, 3)


def test_an_image_of_a_file_has_its_name_and_the_same_answer():
    with Image.open(DATA / "MI_26.jpg") as image:
        page = read_page(image)
        assert page.source == "MI_26.jpg"
        assert ecglens.read(image).label == ecglens.read(DATA / "MI_26.jpg").label == "mi"


@pytest.mark.parametrize(
    "array", [np.zeros((400, 500, 3)), np.zeros((3, 400, 500), np.uint8), np.zeros((0, 5), np.uint8), np.uint8(3)]
)
def test_other_arrays_are_refused(array):
    with pytest.raises(EcgReadError, match="array: expected height x width"):
        read_page(np.asarray(array))


def test_an_animated_image_is_refused_and_not_read_in_part(tmp_path):
    frames = [Image.new("RGB", (400, 400), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    with (
        Image.open(tmp_path / "a.webp") as image,
        pytest.raises(EcgReadError, match="expected one picture, found 2 fr"),
    ):
        read_page(image)


def test_an_image_whose_file_is_damaged_is_refused(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:2000])
    with Image.open(tmp_path / "a.png") as image, pytest.raises(EcgReadError, match=r"a\.png: expected an image"):
        read_page(image)


def test_what_is_no_source_is_refused():
    with pytest.raises(EcgReadError, match="Expected a path, bytes, an open file, an array or an image, found int"):
        read_page(3)


def test_a_missing_file_is_a_file_not_found_error():
    with pytest.raises(FileNotFoundError, match=r"nothing\.jpg: expected a file, found nothing at that path") as caught:
        ecglens.read("nothing.jpg")
    assert isinstance(caught.value, EcgReadError)
    assert caught.value.code == "missing"


def test_the_pages_of_a_file_come_one_after_the_other(tmp_path, pixels):
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    first.save(tmp_path / "two.tif", save_all=True, append_images=[second])
    with (tmp_path / "two.tif").open("rb") as stream:
        pages = list(iterate_pages(stream))
    assert [(page.source, page.number, page.count) for page in pages] == [("two.tif", 1, 2), ("two.tif", 2, 2)]
    np.testing.assert_array_equal(pages[1].pixels, 255 - pixels)


def test_an_array_beyond_memory_is_refused_before_it_is_copied():
    with pytest.raises(EcgReadError, match=r"at most 200 megapixels, found 3,600"):
        read_page(np.broadcast_to(np.uint8(255), (60_000, 60_000, 3)))


def test_an_image_in_cmyk_is_read():
    assert read_page(Image.new("CMYK", (600, 400))).pixels.shape == (400, 600, 3)


def test_a_file_that_was_opened_as_text_says_so(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(128, 256)))
    with (tmp_path / "a.png").open(encoding="utf-8") as stream, pytest.raises(EcgReadError, match="in binary mode"):
        read_page(stream)


def test_errors_of_pages_name_their_file(tmp_path):
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(EcgReadError, match=r"^a\.jpg: "):
        next(iterate_pages(tmp_path / "a.jpg"))
