"""Samples become medians and ratios."""

from bench.board import MEASURES, Board

BY_KEY = {measure.key: measure for measure in MEASURES}


def test_a_figure_is_the_median_and_the_ratio_is_of_medians() -> None:
    board = Board()
    for value in (100.0, 300.0, 200.0):
        board.add("nginx", "requests", value)
    board.add("nexus", "requests", 80.0)
    board.add("nexus", "requests", None)
    assert board.figure("nginx", "requests") == 200
    assert board.relative("nexus", BY_KEY["requests"]) == 0.4
    assert board.figure("nexus", "p50") is None


def test_where_less_is_better_the_ratio_is_the_other_way_round() -> None:
    board = Board()
    board.add("nginx", "cpu_each", 25.0)
    board.add("nexus", "cpu_each", 100.0)
    assert board.relative("nexus", BY_KEY["cpu_each"]) == 0.25
    assert board.relative("nexus", BY_KEY["p50"]) is None


def test_all_samples_are_kept() -> None:
    board = Board()
    board.add("nexus", "requests", 80.0)
    board.add("nexus", "p50", 1.5)
    assert board.as_dict()["nexus"]["requests"] == {"median": 80.0, "ratio": None, "samples": [80.0]}
    assert board.as_dict()["nexus"]["p50"]["ratio"] is None


def test_samples_of_what_was_not_measured_are_none() -> None:
    board = Board()
    board.add("nexus", "requests", 80.0)
    assert board.samples("nexus", "requests") == [80.0]
    assert board.samples("nexus", "p50") == []
    assert board.subjects() == ("nexus",)


def test_every_measure_is_named_once() -> None:
    keys = [measure.key for measure in MEASURES]
    assert len(keys) == len(set(keys))
