"""Days and months as people count them, in a zone of theirs. Times are Unix seconds.

Law: a period holds the moment that it was asked for, and the next one begins where it ends, whatever clocks do then.
"""

import datetime
import math
from collections.abc import Callable
from typing import Final, Literal
from zoneinfo import ZoneInfo

Kind = Literal["day", "month"]
Bounds = tuple[float, float]
"""From the first moment on, up to the second and without it."""

_DAY: Final = datetime.timedelta(days=1)


def zone_of(name: str) -> datetime.tzinfo:
    """The zone of a name such as `Europe/Berlin`. Raises ValueError where this machine knows none."""
    if name == "UTC":
        return datetime.UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r} on this machine; it should be as Europe/Berlin") from None


def day_of(now: float, zone: datetime.tzinfo) -> Bounds:
    """The day that it is at `now`."""
    return _bounds(now, zone, _today, _tomorrow)


def month_of(now: float, zone: datetime.tzinfo) -> Bounds:
    """The month that it is at `now`."""
    return _bounds(now, zone, _first_of_month, _first_of_next_month)


PERIODS: Final[dict[Kind, Callable[[float, datetime.tzinfo], Bounds]]] = {"day": day_of, "month": month_of}


def _bounds(
    now: float,
    zone: datetime.tzinfo,
    first: Callable[[datetime.date], datetime.date],
    following: Callable[[datetime.date], datetime.date],
) -> Bounds:
    second = math.floor(now)  # a moment before midnight would be rounded up to it
    begins = first(datetime.datetime.fromtimestamp(second, zone).date())
    ends = following(begins)
    if _midnight(ends, zone) <= now:  # clocks went back over midnight: it is the day before once more, which is over
        begins, ends = ends, following(ends)
    return _midnight(begins, zone), _midnight(ends, zone)


def _midnight(date: datetime.date, zone: datetime.tzinfo) -> float:
    """The first moment of a date; where clocks skip it, that at which they do."""
    return datetime.datetime(date.year, date.month, date.day, tzinfo=zone).timestamp()


def _today(date: datetime.date) -> datetime.date:
    return date


def _tomorrow(date: datetime.date) -> datetime.date:
    return date + _DAY


def _first_of_month(date: datetime.date) -> datetime.date:
    return date.replace(day=1)


def _first_of_next_month(date: datetime.date) -> datetime.date:
    return date.replace(year=date.year + date.month // 12, month=date.month % 12 + 1, day=1)
