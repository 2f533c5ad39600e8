"""What a finished prompt saved, and what the engine says of a prompt that it refuses or that failed. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.errors import (
    INVALID_REQUEST,
    MODEL_NOT_FOUND,
    OVERLOADED,
    UPSTREAM_ERROR,
    ApiError,
    kind_of_status,
)
from nexus_comfyui.workflow import Workflow

# SaveVideo and SaveWEBM tell theirs under "images" with "animated"; "gifs" is what the VHS nodes say.
_KEYS: Final = ("images", "gifs", "video", "videos", "audio", "files")
_VIDEOS: Final = (".mp4", ".webm", ".mkv", ".mov")
_SAME: Final = (400, 413, 429, 503)
_MODEL_FIELDS: Final = ("ckpt_name", "unet_name", "vae_name", "clip_name", "lora_name", "control_net_name")


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One file on the engine; `kind` is output, temp or input."""

    node: str
    filename: str
    subfolder: str
    kind: str

    @property
    def query(self) -> dict[str, str]:
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.kind}

    @property
    def is_video(self) -> bool:
        return self.filename.lower().endswith(_VIDEOS)


def saved_files(outputs: Mapping[str, Any], nodes: tuple[str, ...] = ()) -> tuple[SavedFile, ...]:
    """The files of a prompt's outputs by node, those of `nodes` alone where any are named. What is only a preview
    (`temp`) is left out where something was saved for good."""
    found = [file for node, output in outputs.items() if not nodes or node in nodes for file in _files(node, output)]
    kept = [file for file in found if file.kind == "output"]
    return tuple(kept or found)


def _files(node: str, output: Any) -> Iterator[SavedFile]:
    if not isinstance(output, dict):
        return
    for key in _KEYS:
        told = output.get(key)
        for one in told if isinstance(told, list) else ():
            if isinstance(one, dict) and isinstance(one.get("filename"), str):
                yield SavedFile(
                    node, one["filename"], str(one.get("subfolder") or ""), str(one.get("type") or "output")
                )


def from_history(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the history as /api/jobs would tell it."""
    status = entry.get("status")
    told = status if isinstance(status, dict) else {}
    said = told.get("messages")
    messages = [one for one in (said if isinstance(said, list) else ()) if isinstance(one, list) and len(one) == 2]
    errors = [data for kind, data in messages if kind == "execution_error"]
    stopped = any(kind == "execution_interrupted" for kind, _ in messages)
    bad = "cancelled" if stopped else "failed"
    return {
        "status": "completed" if told.get("status_str") == "success" else bad,
        "outputs": entry.get("outputs") or {},
        "execution_error": errors[0] if errors else None,
    }


def refused(body: bytes, workflow: Workflow) -> ApiError:
    """The error for a prompt that the engine answered with 400: the caller's where it is about an input of the
    workflow's, a missing model where a file is not there, else the workflow's own."""
    try:
        return _refused(json.loads(body), workflow)
    except (AttributeError, TypeError, ValueError, RecursionError):  # it is no JSON, or not of ComfyUI's shape
        return ApiError(UPSTREAM_ERROR, "the engine refused the prompt and did not say why")


def _refused(told: Any, workflow: Workflow) -> ApiError:
    places = {place: name for name, one in workflow.mapping.inputs.items() for place in one.places}
    for node, errors in (told.get("node_errors") or {}).items():
        for one in errors.get("errors") or ():
            field = (one.get("extra_info") or {}).get("input_name", "")
            text = f"{errors.get('class_type')} (node {node}): {one.get('message')}: {one.get('details')}"
            if one.get("type") == "value_not_in_list" and field in _MODEL_FIELDS:
                return ApiError(MODEL_NOT_FOUND, f"the engine has no such file: {text}", param="model")
            if (name := places.get((node, field))) is not None:
                return ApiError(INVALID_REQUEST, f"{name}: {text}", param=name)
            return ApiError(UPSTREAM_ERROR, f"the engine refuses the workflow {workflow.name}: {text}")
    error = told.get("error") or {}
    text = error if isinstance(error, str) else f"{error.get('message')}: {error.get('details')}"
    return ApiError(UPSTREAM_ERROR, f"the engine refuses the workflow {workflow.name}: {text}")


def failed(reason: str, kind: str) -> ApiError:
    """The error for a prompt that failed while it ran."""
    if "OutOfMemory" in kind or "out of memory" in reason.lower():
        return ApiError(OVERLOADED, f"the engine ran out of memory: {reason}", retry_after=10)
    return ApiError(UPSTREAM_ERROR, f"the engine failed: {reason}")


class AnsweredError(ApiError):
    """Any other answer of the engine's than 2xx: its status and its body, for whoever knows better what they mean."""

    def __init__(self, answered: int, body: bytes) -> None:
        kind = kind_of_status(answered) if answered in _SAME else UPSTREAM_ERROR
        super().__init__(kind, f"the engine answered {answered}: {_said(body)}")
        self.answered = answered
        self.engine_body = body


def _said(body: bytes) -> str:
    """`{"error": "…"}`, `{"error": {"message"}}` or a text."""
    try:
        told = json.loads(body)
        error = told.get("error", told) if isinstance(told, dict) else told
        text = error.get("message", "") if isinstance(error, dict) else str(error)
    except (ValueError, RecursionError):
        text = body[:300].decode("utf-8", "replace")
    return " ".join(str(text).split())[:300] or "nothing more"
