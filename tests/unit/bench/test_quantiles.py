"""Medians and quantiles of samples."""

import pytest

from bench.quantiles import added, median, quantile, ratio


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


def test_what_is_missing_stays_missing() -> None:
    assert ratio(1, 2) == 0.5
    assert ratio(None, 2) is None
    assert ratio(1, 0) is None
    assert added(3, 1) == 2
    assert added(None, 1) is None
