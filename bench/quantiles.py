"""Order statistics of a run's samples."""

import math
import statistics
from collections.abc import Sequence


def quantile(values: Sequence[float], part: float) -> float | None:
    """The value below which `part` (0…1) of the samples lie, by nearest rank; None without samples."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def median(values: Sequence[float | None]) -> float | None:
    """The middle one, or the mean of the two middle ones; samples that were not taken (None) do not count."""
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def spread(values: Sequence[float]) -> float | None:
    """The samples' standard deviation as a part of their mean; None with fewer than two, or where that is 0."""
    mean = statistics.fmean(values) if values else 0
    return statistics.stdev(values) / mean if len(values) > 1 and mean else None


def standard_error(values: Sequence[float]) -> float | None:
    """That of the samples' mean; None with fewer than two."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def ratio(value: float | None, reference: float | None) -> float | None:
    """`value` relative to `reference`; None where either is missing or the reference is 0."""
    return value / reference if value is not None and reference else None


def percent(part: float | None) -> float | None:
    """A part of one, told in hundredths; None stays None."""
    return None if part is None else 100 * part


def added(value: float | None, reference: float | None) -> float | None:
    """How much more than `reference`; None where either is missing."""
    return value - reference if value is not None and reference is not None else None
