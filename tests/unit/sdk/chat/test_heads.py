"""What chunks say first."""

import re
import time

from nexus.sdk.chat.heads import Head, new_head


def test_the_fields_of_an_object() -> None:
    assert Head("x-1", 5, "m", None).of("thing") == {
        "id": "x-1",
        "object": "thing",
        "created": 5,
        "model": "m",
        "system_fingerprint": None,
    }


def test_a_new_head_has_an_id_of_its_own_and_now() -> None:
    head = new_head("cmpl", "m", "fp")
    assert re.fullmatch(r"cmpl-[0-9a-f]{32}", head.id)
    assert head.id != new_head("cmpl", "m", "fp").id
    assert 0 <= time.time() - head.created < 60
    assert (head.model, head.fingerprint) == ("m", "fp")
