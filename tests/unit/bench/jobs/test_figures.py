"""Ratios of rounds, and their noise."""

import pytest

from bench.jobs.asking import Timing
from bench.jobs.figures import Round, Subject, compare, noise


def test_noise_is_the_largest_step_between_successive_rounds_whichever_way() -> None:
    assert noise([100, 110, 100, 80]) == 1.25
    assert noise([100]) == noise([]) == 1


def test_one_disturbed_round_does_not_move_the_middle_ratio() -> None:
    alone, beside = [[10.0] * 3] * 3, [[11.0] * 3, [11.0] * 3, [50.0] * 3]
    found = compare(alone, beside, 0.5)
    assert found is not None
    assert (found.alone_ms, found.beside_ms, found.noise) == (10, 11, 1)
    assert found.steady == pytest.approx(1.1)
    assert not found.within_noise


def test_less_than_the_rounds_themselves_differ_by_is_within_noise() -> None:
    found = compare([[10.0], [12.0], [10.0]], [[11.0], [13.0], [11.0]], 0.5)
    assert found is not None
    assert found.noise == 1.2
    assert found.within_noise


def test_nothing_measured_is_nothing_compared() -> None:
    assert compare([], [], 0.5) is None
    assert compare([[]], [[]], 0.5) is None


def test_a_subject_compares_first_words_or_whole_streams_and_counts_running_jobs() -> None:
    subject = Subject("s", [Round([Timing(10, 20)], [Timing(15, 60)], [3]), Round([], [], [5])])
    first, whole = subject.compare(0.5), subject.compare(0.5, whole=True)
    assert first is not None
    assert whole is not None
    assert (first.ratio, whole.ratio) == (1.5, 3)
    assert subject.mean_running() == 4
    assert Subject("empty").mean_running() == 0


def test_jobs_are_compared_with_a_core_that_is_merely_awake_as_well() -> None:
    subject = Subject("s", [Round([Timing(10, 20)], [Timing(12, 26)], [3], awake=[Timing(12, 25)])])
    asleep, awake = subject.compare(0.5), subject.compare(0.5, awake=True)
    assert asleep is not None
    assert awake is not None
    assert (asleep.ratio, awake.ratio) == (1.2, 1)
    assert awake.within_noise
    assert Subject("s", [Round([Timing(10, 20)], [Timing(12, 26)], [3])]).compare(0.5, awake=True) is None
