import dataclasses

import pytest

from nexus.gateway.api.parts import ApiParts


def test_the_parts_are_not_changed_behind_the_routes_back(gateway) -> None:
    assert isinstance(gateway.parts, ApiParts)
    with pytest.raises(dataclasses.FrozenInstanceError):
        gateway.parts.instance = "other"
