"""Cards for services that a test makes up."""

from collections.abc import Sequence
from typing import Any


def model(
    name: str,
    *,
    aliases: Sequence[str] = (),
    state: str = "ready",
    operations: Sequence[str] = (),
    continuation: bool = False,
) -> dict[str, Any]:
    """One model entry of a card."""
    known = {"id": name, "aliases": list(aliases), "state": state, "operations": list(operations)}
    return {**known, "continuation": True} if continuation else known


def card(
    service: str = "scripted",
    *,
    instance: str = "",
    operations: Sequence[str] = ("chat.completions", "completions", "embeddings", "audio.speech"),
    models: Sequence[str | dict[str, Any]] = ("scripted",),
    endpoints: Sequence[dict[str, Any]] = (),
    places: int = 4096,
    uses: Sequence[str] = (),
    region: str = "",
) -> dict[str, Any]:
    """A whole card; a model given as a string is ready and does every operation."""
    return {
        "schema_version": "v1",
        "service": {"name": service, "version": "1"},
        "instance": instance or f"{service}-1",
        "region": region,
        "capabilities": {
            "operations": list(operations),
            "streaming": True,
            "max_concurrency": places,
            "uses": list(uses),
        },
        "endpoints": list(endpoints),
        "models": [model(entry) if isinstance(entry, str) else entry for entry in models],
    }
