"""Failures of what is done again and again are told once each, and end nothing."""

import asyncio

import pytest

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.gateway.told_once import ToldOnce
from nexus.store.errors import DatabaseError


def test_a_failure_is_told_once_until_there_is_another_or_none() -> None:
    logged: list[tuple[str, str, dict[str, object]]] = []
    failures = ToldOnce(lambda level, event, **fields: logged.append((level, event, fields)), "not_read")
    away, busy = DatabaseError("away"), ApiError(OVERLOADED, "busy")
    for error in (away, away, busy, None, busy):
        with failures.trying():
            if error is not None:
                raise error
    assert logged == [("error", "not_read", {"reason": reason}) for reason in ("away", "busy", "busy")]


def test_what_nobody_foresaw_is_told_with_its_trace() -> None:
    logged: list[dict[str, object]] = []
    with ToldOnce(lambda *_, **fields: logged.append(fields), "not_read").trying():
        raise TypeError("odd")
    assert logged[0]["reason"] == "TypeError('odd')"
    assert "raise TypeError" in str(logged[0]["trace"])


def test_who_is_told_to_end_ends() -> None:
    logged: list[object] = []
    with pytest.raises(asyncio.CancelledError), ToldOnce(lambda *_, **__: logged.append(1), "not_read").trying():
        raise asyncio.CancelledError
    assert not logged
