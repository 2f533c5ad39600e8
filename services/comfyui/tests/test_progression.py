"""The engine's messages: what they come to, in whatever order, and what is passed over."""

import json
import struct
from typing import Any

import pytest
from nexus_comfyui.library import own_workflow
from nexus_comfyui.progression import Ended, Preview, Progression, Saved, Step

GRAPH = own_workflow("sdxl-text").graph


@pytest.fixture
def progression() -> Progression:
    return Progression("me", GRAPH)


def said(kind: str, **data: Any) -> str:
    return json.dumps({"type": kind, "data": data})


def test_a_whole_prompt(progression: Progression) -> None:
    fractions = []
    messages = [
        said("status", status={"exec_info": {"queue_remaining": 1}}, sid="x"),
        said("execution_start", prompt_id="me", timestamp=1),
        said("execution_cached", nodes=["4"], prompt_id="me"),
        said("executing", node="3", display_node="3", prompt_id="me"),
        said("progress", value=5, max=10, prompt_id="me", node="3"),
        said("progress_state", prompt_id="me", nodes={"3": {"value": 10, "max": 10, "state": "finished"}}),
        said("executing", node="8", prompt_id="me"),
        said("executed", node="9", output={"images": []}, prompt_id="me"),
        said("executing", node=None, prompt_id="me"),
    ]
    for message in messages:
        fractions += [one.fraction for one in progression.feed(message) if isinstance(one, Step)]
    assert fractions == sorted(fractions)
    assert 0.4 < fractions[3] < 0.6  # half of the sampler's steps
    assert progression.feed(said("execution_success", prompt_id="me")) == [Ended("success")]


def test_only_success_ends_a_prompt(progression: Progression) -> None:
    told = progression.feed(said("executed", node="9", output={"images": [{"filename": "a"}]}, prompt_id="me"))
    assert isinstance(told[0], Saved)
    assert not any(isinstance(one, Ended) for one in told)


def test_other_prompts_are_passed_over(progression: Progression) -> None:
    assert progression.feed(said("execution_success", prompt_id="you")) == []
    assert progression.feed(said("progress", value=1, max=2, prompt_id="you", node="3")) == []
    assert progression.feed(said("something_new", prompt_id="me")) == []


def test_failures(progression: Progression) -> None:
    data = {"node_type": "KSampler", "exception_message": "no\nroom", "exception_type": "OOM"}
    assert progression.feed(said("execution_error", prompt_id="me", **data)) == [
        Ended("error", "KSampler: no room", "OOM")
    ]
    (ended,) = progression.feed(said("execution_interrupted", prompt_id="me"))
    assert isinstance(ended, Ended)
    assert ended.how == "interrupted"


def test_previews(progression: Progression) -> None:
    assert progression.feed(struct.pack(">II", 1, 1) + b"jpeg") == [Preview(b"jpeg", 0.0)]
    assert progression.feed(struct.pack(">II", 4, 1) + b"other") == []
    assert progression.feed(b"\0\0") == []


@pytest.mark.parametrize("message", ["nonsense", "[]", '"text"'])
def test_what_is_no_message(progression: Progression, message: str) -> None:
    with pytest.raises((ValueError, AttributeError)):
        progression.feed(message)


def test_numbers_that_are_none(progression: Progression) -> None:
    for value, most in ((1, 0), ("1", 2), (None, None), (-3, 2)):
        (step,) = progression.feed(said("progress", value=value, max=most, prompt_id="me", node="3"))
        assert isinstance(step, Step)
        assert step.fraction == 0
