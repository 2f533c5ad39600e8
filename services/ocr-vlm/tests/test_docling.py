"""What docling-serve's results mean."""

import pytest
from nexus_ocr_vlm.docling import markdown

from nexus.contract.errors import ApiError


def test_a_whole_page() -> None:
    assert markdown({"status": "success", "document": {"md_content": "# A\n"}, "errors": []}) == "# A"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"status": "partial_success", "document": {"md_content": "# A"}, "errors": []}, "does not say why"),
        ({"status": "failure", "errors": [{"error_message": "no memory"}]}, r"\(failure\): no memory"),
        ({"status": "success", "document": {"md_content": None}}, "has no md_content"),
        ({"status": "success"}, "has no md_content"),
        ({"hello": 1}, "has no status"),
        ([], "has no status"),
    ],
)
def test_what_is_not_whole_is_no_page(result: object, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        markdown(result)
    assert caught.value.status == 502
