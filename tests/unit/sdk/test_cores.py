"""One core is left to others, where there is another."""

import os

import pytest

from nexus.sdk.cores import spare_cores


@pytest.mark.parametrize(("usable", "spare"), [(1, 1), (2, 1), (3, 2), (64, 63)])
def test_all_but_one_and_never_none(usable: int, spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(usable)), raising=False)
    assert spare_cores() == spare
    assert spare_cores(4) == min(4, spare)


def test_where_a_process_has_no_cores_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for count, spare in ((None, 1), (8, 7)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert spare_cores() == spare
