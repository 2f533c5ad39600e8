"""Which pages are wanted."""

from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.sdk.media.chosen_pages import chosen_pages


@pytest.mark.parametrize(
    ("wanted", "pages"),
    [
        (None, (0, 1, 2, 3)),
        (2, (2,)),
        ("2", (2,)),
        ("0-2", (0, 1, 2)),
        ("0,2", (0, 2)),
        (" 3, 0 - 1".replace(" - ", "-"), (0, 1, 3)),
        ((2, 0, 2), (0, 2)),
        (("0-1", 3), (0, 1, 3)),
    ],
)
def test_ways_to_say_it(wanted: Any, pages: tuple[int, ...]) -> None:
    assert chosen_pages(wanted, 4, 10) == pages


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (4, "there is no page 4: the document has 4"),
        ("0-4", "no page 4"),
        ("0-9999999", "no page 9999999"),
        ("2-1", "backwards"),
        ("", "neither"),
        ("-1", "neither"),
        ("one", "neither"),
        ("0,,1", "neither"),
        ((0, "x"), "neither"),
    ],
)
def test_what_cannot_be_is_refused(wanted: Any, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        chosen_pages(wanted, 4, 10)
    assert (caught.value.status, caught.value.param) == (400, "pages")


def test_there_is_a_most() -> None:
    assert len(chosen_pages("0-9", 100, 10)) == 10
    for wanted in (None, "0-10"):
        with pytest.raises(ApiError, match="more than the 10") as caught:
            chosen_pages(wanted, 100, 10)
        assert caught.value.param == "pages"
