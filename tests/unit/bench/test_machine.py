"""Cores, limits and what is told of the machine."""

import os

import pytest

from bench.machine import Cores, describe, find_cores, pinned, raise_file_limit


def test_the_note_says_when_there_is_one_core_only() -> None:
    assert "one core" in Cores(0, 0).note
    assert "core 0" in Cores(0, 1).note
    assert "cannot pin" in Cores(None, None).note


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot pin")
def test_pinning_ends_with_the_block() -> None:
    before = os.sched_getaffinity(0)
    with pinned(find_cores().subject):
        assert os.sched_getaffinity(0) == {find_cores().subject}
    assert os.sched_getaffinity(0) == before


def test_the_machine_is_described() -> None:
    machine = describe(sample_seconds=0.01)
    assert machine.cores == os.cpu_count()
    assert machine.as_dict()["cpu"]
    assert raise_file_limit() > 0
