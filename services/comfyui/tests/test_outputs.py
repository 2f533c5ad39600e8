"""What prompts saved, and what the engine's refusals mean."""

import json
from typing import Any

import pytest
from nexus_comfyui.library import own_workflow
from nexus_comfyui.outputs import AnsweredError, failed, from_history, refused, saved_files

WORKFLOW = own_workflow("sdxl-text")


def file(name: str, kind: str = "output") -> dict[str, str]:
    return {"filename": name, "subfolder": "nexus", "type": kind}


def test_files_under_every_key_and_previews_only_where_nothing_else_is() -> None:
    outputs = {
        "9": {"images": [file("a.png")]},
        "10": {"images": [file("b.mp4")], "animated": [True]},
        "11": {"gifs": [file("c.webm")]},
        "12": {"images": [file("d.png", "temp")]},
        "13": {"text": ["words"]},
        "14": None,
    }
    assert [one.filename for one in saved_files(outputs)] == ["a.png", "b.mp4", "c.webm"]
    assert [one.is_video for one in saved_files(outputs)] == [False, True, True]
    assert [one.filename for one in saved_files({"12": outputs["12"]})] == ["d.png"]
    assert [one.filename for one in saved_files(outputs, ("11",))] == ["c.webm"]
    assert saved_files({}) == ()
    assert saved_files({"9": {"images": True, "gifs": 7, "audio": [None, {"filename": 1}]}}) == ()


def test_a_history_entry_is_told_as_a_job() -> None:
    entry = {"outputs": {"9": {}}, "status": {"status_str": "success", "completed": True, "messages": []}}
    assert from_history(entry)["status"] == "completed"
    error = {"exception_message": "x"}
    entry["status"] = {"status_str": "error", "messages": [["execution_start", {}], ["execution_error", error]]}
    assert (from_history(entry)["status"], from_history(entry)["execution_error"]) == ("failed", error)
    entry["status"] = {"status_str": "error", "messages": [["execution_interrupted", {}]]}
    assert from_history(entry)["status"] == "cancelled"
    for nonsense in ("x", {"messages": 7}, {"messages": [7]}):
        assert from_history({"status": nonsense})["status"] == "failed"


def refusal(node: str, kind: str, field: str, problem: str) -> bytes:
    error = {"type": problem, "message": "m", "details": "d", "extra_info": {"input_name": field}}
    errors = {node: {"errors": [error], "class_type": kind, "dependent_outputs": []}}
    return json.dumps({"error": {"type": "x", "message": "m", "details": ""}, "node_errors": errors}).encode()


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (refusal("3", "KSampler", "steps", "value_bigger_than_max"), 400, "steps"),
        (refusal("4", "CheckpointLoaderSimple", "ckpt_name", "value_not_in_list"), 404, "model"),
        (refusal("8", "VAEDecode", "samples", "required_input_missing"), 502, None),
        (b'{"error": {"type": "prompt_no_outputs", "message": "m", "details": "d"}, "node_errors": {}}', 502, None),
        (b'{"error": "text"}', 502, None),
        (b"<html>", 502, None),
        (b"[" * 60_000, 502, None),
        (b'["error"]', 502, None),
        (b'{"error": 7, "node_errors": {}}', 502, None),
        (b'{"error": {}, "node_errors": {"3": 1}}', 502, None),
        (b'{"error": {}, "node_errors": {"3": {"errors": [{"extra_info": {"input_name": []}}]}}}', 502, None),
    ],
)
def test_refused_prompts(body: bytes, status: int, param: str | None) -> None:
    error = refused(body, WORKFLOW)
    assert (error.status, error.param) == (status, param)


def test_failed_prompts() -> None:
    assert failed("KSampler: CUDA out of memory", "RuntimeError").code == "overloaded"
    assert failed("KSampler: x", "torch.OutOfMemoryError").code == "overloaded"
    assert failed("KSampler: shapes differ", "RuntimeError").code == "upstream_error"


@pytest.mark.parametrize(
    ("answered", "body", "status", "told"),
    [
        (404, b'{"error": "Job not found"}', 502, "Job not found"),
        (413, b"too big", 413, "too big"),
        (500, b"", 502, "nothing more"),
        (500, b"[" * 60_000, 502, "[["),
        (400, b'{"error": {"message": "m"}}', 400, "m"),
    ],
)
def test_other_answers(answered: int, body: bytes, status: int, told: Any) -> None:
    error = AnsweredError(answered, body)
    assert (error.status, error.answered) == (status, answered)
    assert told in error.message
