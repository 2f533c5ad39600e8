"""Every key of nexus.yaml with a value of a wrong type, and a key too many wherever there are keys: file, line, key."""

import datetime
import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from nexus.gateway.config import _KEYS, _File, parse_config, read_config
from nexus.gateway.shapes.base import Shape
from nexus.gateway.shapes.document import ConfigError

TIMES: Final = {"connect": 1, "first_byte": 2.5, "idle": 3, "total": 4}
RULES: Final = {"max_tokens": 9, "force": {"temperature": 0}, "forbid": ["seed"], "system_prefix": "Be kind."}
BUDGET: Final = {"requests": 1, "tokens": 2, "engine_seconds": 3}
WHOLE: Final[dict[str, Any]] = {
    "aliases": {"small": "qwen"},
    "fallbacks": {"qwen": ["llama"]},
    "retries": {"max_attempts": 2, "budget_ratio": 0.5},
    "hedging": {"embeddings": "p95", "rerank": "p90", "moderations": 2},
    "timeouts": {**TIMES, "operations": {"ocr": TIMES}, "models": {"qwen": TIMES}},
    "queue": {"max_waiting": 5, "max_seconds": 6},
    "jobs": {"timeout": 5, "keep": 6, "max_wait": 7, "max_attempts": 2, "max_queued": 9},
    "policies": {
        "default": {
            "rpm": 1,
            "tpm": 2,
            "concurrency": 3,
            "max_request_bytes": 4,
            "priority": "batch",
            "models": ["*"],
            "operations": ["ocr"],
            "tools": ["*"],
            "ip_allow": ["10.0.0.0/8", "::1"],
            "parameters": {**RULES, "models": {"qwen": RULES}},
            "budgets": {"day": BUDGET, "month": BUDGET, "timezone": "Europe/Berlin"},
        }
    },
    "tokens": [{"name": "a", "sha256": "a" * 64, "policy": "default", "expires": datetime.date(2099, 1, 1)}],
    "routes": [
        {
            "when": {
                "policy": ["a"],
                "token": ["a"],
                "operation": ["a"],
                "model": ["a"],
                "service": ["a"],
                "region": ["a"],
                "stream": True,
                "header": {"x-team": ["a"]},
                "time": ["22:00-06:00"],
                "days": ["mon"],
                "timezone": "UTC",
                "has_tools": True,
                "has_images": False,
                "prompt_tokens_over": 1,
                "prompt_tokens_under": 5,
            },
            "use": {"model": "a", "service": ["a"], "instance": ["a"], "region": ["a"]},
        },
        {"deny": "no"},
        {"split": {"a": 1, "b": 2.5}},
    ],
    "ip_allowlist": {"/metrics": ["10.0.0.0/8"]},
    "stream_recovery": "error",
}
Where = tuple[str | int, ...]


class Wrong:
    """Stands for a value in the place of another one."""

    def __init__(self, value: Any) -> None:
        self.value = value


def write(document: Any) -> tuple[list[str], dict[Where, int]]:
    """A file with a line for every key and every part of a list, and in which line, from 1, each of them stands."""
    lines: list[str] = []
    found: dict[Where, int] = {}

    def put(value: Any, at: Where, indent: str) -> None:
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            name = f"{indent}-" if isinstance(value, list) else f"{indent}{json.dumps(key)}:"
            found[*at, key] = len(lines) + 1
            if one and isinstance(one, dict | list):
                lines.append(name)
                put(one, (*at, key), indent + "  ")
            else:
                text = str(one) if isinstance(one, datetime.date) else json.dumps(getattr(one, "value", one))
                lines.append(f"{name} {text}")

    put(document, (), "")
    return lines, found


def places(value: Any, at: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Every key and every part of a list, with what stands there; what is forced may be anything."""
    if at:
        yield at, value
    if at[-1:] != ("force",):
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, one in inside:
            yield from places(one, (*at, key))


def with_value(value: Any, at: Where, other: Any) -> Any:
    """The same, with another value at a place."""
    if not at:
        return other
    key, *rest = at
    if isinstance(value, list):
        return [with_value(one, tuple(rest), other) if index == key else one for index, one in enumerate(value)]
    return {**value, key: with_value(value.get(key), tuple(rest), other)}


def wrong_values(at: Where, value: Any) -> Iterator[Any]:
    yield from (None, [[1]])
    if at[-1] != "force":
        yield {"a": {"b": []}}
    if not isinstance(value, bool):
        yield True
    if not isinstance(value, int | float) and at[0] != "hedging":
        yield 5
    if not isinstance(value, str | list):  # some lists may be written as the one word in them
        yield "?"


def refusal(document: Any, folder: Path) -> str:
    path = folder / "nexus.yaml"
    path.write_text("\n".join(write(document)[0]))
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    return str(caught.value)


def named(at: Where) -> str:
    return "nexus.yaml: " + ".".join(map(str, at))


def shapes_in(annotation: Any) -> Iterator[type[Shape]]:
    """The shapes that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        yield annotation
        for field in annotation.model_fields.values():
            yield from shapes_in(field.annotation)
    for part in typing.get_args(annotation):
        yield from shapes_in(part)


def shape_at(at: Where) -> type[Shape] | None:
    """The shape whose keys stand at a place, by the list that mistakes are told by."""
    for pattern, shape in _KEYS.items():
        if len(pattern) == len(at) and all(a in ("*", str(b)) for a, b in zip(pattern, at, strict=True)):
            return shape
    return None


MAPPINGS: Final = [at for at, _ in [((), WHOLE), *places(WHOLE)] if shape_at(at) is not None]


def test_the_whole_file_is_right_and_has_every_key_of_every_shape() -> None:
    parse_config("\n".join(write(WHOLE)[0]))
    there: dict[type[Shape], set[Any]] = {}
    for at, value in [((), WHOLE), *places(WHOLE)]:
        shape = shape_at(at)
        if shape is not None:
            there.setdefault(shape, set()).update(value)
    assert there == {shape: set(shape.model_fields) for shape in shapes_in(_File)}


@pytest.mark.parametrize("at", [at for at, _ in places(WHOLE)], ids=lambda at: ".".join(map(str, at)))
def test_a_value_of_a_wrong_type(at: Where, tmp_path: Path) -> None:
    value = dict(places(WHOLE))[at]
    for wrong in wrong_values(at, value):
        document = with_value(WHOLE, at, Wrong(wrong))
        told, line = refusal(document, tmp_path), write(document)[1][at]
        assert told.startswith((f"{named(at)}: ", f"{named(at)}.")), wrong
        assert told.endswith(f" (line {line})"), wrong
        assert "\n" not in told


@pytest.mark.parametrize("at", MAPPINGS, ids=lambda at: ".".join(map(str, at)) or "the file")
def test_a_key_too_many(at: Where, tmp_path: Path) -> None:
    document = with_value(WHOLE, (*at, "zzz"), 1)
    told = refusal(document, tmp_path)
    assert told.startswith(f"{named((*at, 'zzz'))}: there is no such key")
    assert told.endswith(f" (line {write(document)[1][(*at, 'zzz')]})")
