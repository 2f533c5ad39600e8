"""Medians and quantiles of samples."""

import pytest

from bench.quantiles import added, median, percent, quantile, ratio, spread, standard_error


@pytest.mark.parametrize(
    ("values", "expected"), [([], None), ([3.0], 3.0), ([9.0, 1.0, 2.0], 2.0), ([4.0, 1.0, None, 2.0, 9.0], 3.0)]
)
def test_median(values: list[float | None], expected: float | None) -> None:
    assert median(values) == expected


def test_quantile_is_a_sample_by_nearest_rank() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.99) == 99
    assert quantile(values, 1) == 100
    assert quantile([7.0], 0.0) == 7
    assert quantile([], 0.5) is None


def test_how_much_samples_differ() -> None:
    assert spread([9.0, 10.0, 11.0]) == pytest.approx(0.1)
    assert standard_error([9.0, 10.0, 11.0]) == pytest.approx(1 / 3**0.5)
    assert spread([5.0]) is standard_error([5.0]) is spread([]) is spread([-1.0, 1.0]) is None
    assert percent(0.125) == 12.5
    assert percent(None) is None


def test_what_is_missing_stays_missing() -> None:
    assert ratio(1, 2) == 0.5
    assert ratio(None, 2) is None
    assert ratio(1, 0) is None
    assert added(3, 1) == 2
    assert added(None, 1) is None
