import pytest
from tiny_explained import layout_of
from tiny_models import ecg_page


@pytest.fixture(scope="package")
def page():
    return ecg_page(2)


@pytest.fixture(scope="package")
def layout(page):
    return layout_of(page)
