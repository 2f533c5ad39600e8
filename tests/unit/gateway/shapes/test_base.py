"""Nothing is converted, nothing unknown is passed over."""

import pytest
from pydantic import ValidationError

from nexus.gateway.shapes.base import Count, Shape, ZoneName


class Bottle(Shape):
    pints: Count


@pytest.mark.parametrize("value", ["5", 5.0, True, None, -1, 10**13])
def test_a_count_is_a_whole_number_from_nothing_on(value: object) -> None:
    assert Bottle.model_validate({"pints": 0}).pints == 0
    with pytest.raises(ValidationError):
        Bottle.model_validate({"pints": value})


def test_unknown_keys_are_mistakes() -> None:
    with pytest.raises(ValidationError):
        Bottle.model_validate({"pints": 1, "quarts": 2})


class Place(Shape):
    zone: ZoneName


def test_a_zone_is_one_that_this_machine_knows() -> None:
    assert Place.model_validate({"zone": "Europe/Berlin"}).zone == "Europe/Berlin"
    for value in ("Europe/Nowhere", "Europe", "../etc", "", 5):
        with pytest.raises(ValidationError):
            Place.model_validate({"zone": value})
