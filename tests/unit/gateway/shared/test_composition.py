"""Shared limits out of settings."""

import pytest

from nexus.gateway.settings import load_settings
from nexus.gateway.shared.composition import create_shared


def log(level: str, event: str, **fields: object) -> None:
    raise AssertionError(event)


def test_none_where_no_redis_is_named() -> None:
    assert create_shared(load_settings(), log) is None


@pytest.mark.parametrize("meanwhile", ["local", "closed"])
def test_at_rest_they_are_not_there_yet(monkeypatch: pytest.MonkeyPatch, meanwhile: str) -> None:
    monkeypatch.setenv("NEXUS_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("NEXUS_LIMITS_WITHOUT_REDIS", meanwhile)
    shared = create_shared(load_settings(), log)
    assert shared is not None
    assert (shared.up, shared.closed) == (False, meanwhile == "closed")
