"""Problems are told in one line that names the place."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from nexus.sdk.problems import ManifestError, first_complaint


class Inner(BaseModel):
    items: list[int]

    @field_validator("items")
    @classmethod
    def _refuse_nine(cls, items: list[int]) -> list[int]:
        if 9 in items:
            raise ValueError("no nines")
        return items


def test_a_manifest_error_names_file_and_key() -> None:
    assert str(ManifestError(Path("a.toml"), "id", "is odd")) == "a.toml: id: is odd"
    assert str(ManifestError(Path("a.toml"), "", "is odd")) == "a.toml: is odd"


@pytest.mark.parametrize(
    ("items", "complaint"),
    [([1, "x"], ("items.1", "Input should be a valid integer")), ([9], ("items", "no nines"))],
)
def test_the_first_complaint_of_pydantic(items: list[object], complaint: tuple[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Inner.model_validate({"items": items})
    key, reason = first_complaint(caught.value)
    assert key == complaint[0]
    assert reason.startswith(complaint[1])
