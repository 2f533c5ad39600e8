"""What is kept of where a call was led comes back as it was, through JSON."""

import json

import pytest

from nexus.gateway.routing.keeping import kept, read_kept
from nexus.gateway.values import Routed
from nexus.policies.globs import Globs
from nexus.policies.routing.rule import Within


@pytest.mark.parametrize(
    "routed",
    [
        None,
        Routed(1, "1; use model=a", "chat", "a"),
        Routed(2, "2; use service=x", None, None, Within(service=Globs(["x", "y*"]), region=Globs(["eu"]))),
    ],
)
def test_it_comes_back(routed: Routed | None) -> None:
    assert read_kept(json.loads(json.dumps({"prompt": "x", **kept(routed)}))) == routed
