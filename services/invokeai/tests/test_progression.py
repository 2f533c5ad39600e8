"""The engine's events: what they come to, and what is passed over."""

import base64
from typing import Any

import pytest
from nexus_invokeai.progression import Ended, Preview, Progression, Step


@pytest.fixture
def progression() -> Progression:
    return Progression(7, {"ml": 1.0, "denoise": 20.0, "l2i": 1.0})


def about(node: str = "", **more: Any) -> dict[str, Any]:
    return {"item_id": 7, "batch_id": "b", "session_id": "s", "invocation_source_id": node, **more}


def test_a_whole_picture(progression: Progression) -> None:
    events = [
        ("queue_item_status_changed", about(status="pending")),
        ("queue_item_status_changed", about(status="in_progress")),
        ("invocation_started", about("ml")),
        ("invocation_complete", about("ml")),
        ("invocation_progress", about("denoise", message="Denoising", percentage=0.5, image=None)),
        ("invocation_progress", about("denoise", message="Loading", percentage=None, image=None)),
        ("invocation_complete", about("denoise")),
        ("invocation_complete", about("l2i")),
    ]
    steps = [one for event, data in events for one in progression.feed(event, data) if isinstance(one, Step)]
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert steps[4] == Step(0.5, "Denoising")
    assert progression.feed("queue_item_status_changed", about(status="completed")) == [Ended("completed")]


def test_other_items_are_passed_over(progression: Progression) -> None:
    assert progression.feed("queue_item_status_changed", {**about(status="completed"), "item_id": 8}) == []


def test_previews(progression: Progression) -> None:
    url = f"data:image/png;base64,{base64.b64encode(b'png').decode()}"
    image = {"width": 1, "height": 1, "dataURL": url}
    told = progression.feed("invocation_progress", about("denoise", message="x", percentage=0.55, image=image))
    assert told == [Step(0.5, "x"), Preview(b"png", 0.5)]


def test_failures(progression: Progression) -> None:
    error = about("denoise", error_type="X", error_message="m", error_traceback="t")
    assert not any(isinstance(one, Ended) for one in progression.feed("invocation_error", error))
    changed = about(status="failed", error_type="X", error_message="no\nroom")
    assert progression.feed("queue_item_status_changed", changed) == [Ended("failed", "no room", "X")]


def test_what_is_no_event(progression: Progression) -> None:
    with pytest.raises(ValueError, match="without an object"):
        progression.feed("invocation_started", [1])
    image = {"dataURL": "http://example.com/a.png"}
    with pytest.raises(ValueError, match="fetches nothing"):
        progression.feed("invocation_progress", about("denoise", message="", percentage=1, image=image))
