"""When a job will be through, as far as that can be told. Pure."""

from collections.abc import Sequence


def usual(seconds: Sequence[float]) -> float | None:
    """How long work of a kind takes: the median of what the last runs took; None where there were none."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2]


def left(progress: float, running: float, usual_seconds: float | None) -> float | None:
    """Seconds that a run still needs: by its own pace once it has shown one, else by what is usual."""
    if progress >= 0.05:
        return running * (1 - progress) / progress
    if usual_seconds is None:
        return None
    return max(0.0, usual_seconds - running)


def wait(position: int, places: int, usual_seconds: float | None) -> float | None:
    """Seconds until the job at `position` (1 is next) is through, when `places` jobs run at once."""
    if usual_seconds is None:
        return None
    rounds = -(-position // max(1, places))
    return (rounds + 0.5) * usual_seconds  # those that run now are on average half through
