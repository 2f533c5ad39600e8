"""The request that has a model go on from what was delivered: the text as its own last words, or at the prompt's end.

Chat templates decide whether a trailing message of the assistant's is continued. llama.cpp, Ollama and mlx-lm do so by
themselves; vLLM and SGLang where `continue_final_message` says so, which needs `add_generation_prompt` off.
"""

from typing import Any, Final

import msgspec

from nexus.gateway.relay.chunks import value_of
from nexus.gateway.relay.transcript import Delivered

_FORMS: Final = (
    "grammar",
    "json_schema",
    "structured_outputs",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "regex",
    "ebnf",
    "logprobs",
    "top_logprobs",
    "echo",
    "suffix",
)
"""Wishes that hold for an answer from its first letter: a continuation would fulfil them anew, in its middle."""

_BOUNDS: Final = ("max_tokens", "max_completion_tokens")


def continued_body(body: bytes, delivered: Delivered) -> bytes | None:
    """The body that asks for the rest of an answer; None where a model cannot be asked for just that."""
    kind, text = _only(delivered)
    asked = value_of(body)
    if not text or asked is None or not _is_free(asked):
        return None
    placed = _prompt(asked, text) if kind == "text" else _messages(asked, text)
    if placed is None:
        return None
    for bound in _BOUNDS:
        if isinstance(asked.get(bound), int):
            placed[bound] = max(1, asked[bound] - delivered.pieces)
    return msgspec.json.encode({**asked, **placed})


def _only(delivered: Delivered) -> tuple[str, str]:
    """Field and text of a single choice that has begun to answer in words, and done nothing else; else empty."""
    said = delivered.choices.get(0)
    if said is None or len(delivered.choices) != 1 or len(said.tracks) != 1 or said.calls or said.finished:
        return "", ""
    ((kind, _), text) = next(iter(said.tracks.items()))
    return (kind, text) if kind in ("content", "text") else ("", "")


def _is_free(asked: dict[str, Any]) -> bool:
    form = asked.get("response_format")
    plain = form is None or (isinstance(form, dict) and form.get("type") == "text")
    single = asked.get("n") in (None, 1) and asked.get("best_of") in (None, 1)
    unforced = asked.get("tool_choice") in (None, "auto", "none")
    return plain and single and unforced and not any(asked.get(name) for name in _FORMS)


def _messages(asked: dict[str, Any], text: str) -> dict[str, Any] | None:
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return None
    last = messages[-1]
    if last.get("role") == "assistant":  # the client's own beginning of the answer; templates want no two in a row
        if not isinstance(last.get("content"), str) or last.get("tool_calls"):
            return None
        messages, text = messages[:-1], last["content"] + text
    messages = [*messages, {"role": "assistant", "content": text}]
    return {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}


def _prompt(asked: dict[str, Any], text: str) -> dict[str, Any] | None:
    prompt = asked.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    return {"prompt": prompt + text} if isinstance(prompt, str) else None
