"""Checks run side by side; one that hangs or breaks costs the others nothing."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexus.stack.doctor.examine import CHECKS, Bounded, Broken, Check, Late, examine
from nexus.stack.doctor.values import Finding, Host, ok, problem

HOST = Host(Path("/"), Path("/none"))


def fine(_: Host) -> Iterator[Finding]:
    yield ok("fine")


def test_findings_come_in_the_order_of_the_checks_and_tell_who_found_them() -> None:
    found = examine(HOST, [Check("first", lambda _: [ok("a"), problem("b", "do")]), Check("second", fine)])
    assert [(one.check, one.level, one.what) for one in found] == [
        ("first", "ok", "a"),
        ("first", "problem", "b"),
        ("second", "ok", "fine"),
    ]


def test_they_run_at_the_same_time() -> None:
    """Each waits for the other: one after the other, none would ever end."""
    both = threading.Barrier(2)

    def meet(_: Host) -> list[Finding]:
        both.wait(5)
        return [ok("met")]

    found = examine(HOST, [Check("one", meet), Check("other", meet)], 5)
    assert [one.what for one in found] == ["met", "met"]


def test_one_that_hangs_is_told_of_and_left_behind() -> None:
    never = threading.Event()
    began = time.monotonic()
    found = examine(HOST, [Check("hangs", lambda _: [never.wait()]), Check("other", fine)], 0.2)  # type: ignore[list-item]
    assert time.monotonic() - began < 2
    assert [(one.check, one.level) for one in found] == [("hangs", "warning"), ("other", "ok")]
    assert found[0].what == "no answer within 0.2 s"
    never.set()


def test_one_that_breaks_is_told_in_one_line() -> None:
    def break_(_: Host) -> Iterator[Finding]:
        yield ok("not told, as it may be half of the truth")
        raise ValueError("two\nlines")

    (found,) = examine(HOST, [Check("breaks", break_)])
    assert (found.level, found.what) == ("warning", "this could not be looked at: two lines")


def test_what_is_bounded_gives_a_value_a_reason_or_nothing() -> None:
    until = time.monotonic() + 5
    assert Bounded("a", lambda: 7).result(until) == 7
    assert Bounded("b", lambda: 1 // 0).result(until) == Broken("integer division or modulo by zero")
    never = threading.Event()
    assert Bounded("c", never.wait).result(time.monotonic()) == Late()
    never.set()


def test_every_check_is_on_the_list_once() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names) == 13


def test_all_checks_on_this_very_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever there is here, each check but the gateway's (there are no settings) finds something, and none breaks."""
    found = examine(Host(tmp_path, tmp_path / ".nexus"), seconds=30)
    assert {one.check for one in found} >= {check.name for check in CHECKS} - {"gateway", "ports"}
    assert not [one for one in found if "could not be looked at" in one.what]
    assert not (tmp_path / ".nexus").exists()
