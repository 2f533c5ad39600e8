"""Times of day, and days of the week, in some place's own time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """From one minute of the day up to another, which is the next day's where it is not the later one."""

    start: int
    end: int

    def __str__(self) -> str:
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.start, self.end))


WHOLE_DAY: Final = Window(0, _DAY)


@dataclass(frozen=True, slots=True)
class Hours:
    """Some windows on some days (0 is Monday; none are all). What begins on a day is that day's until it ends."""

    zone: tzinfo
    windows: Sequence[Window] = (WHOLE_DAY,)
    days: Sequence[int] = ()

    def contain(self, moment: datetime) -> bool:
        """Whether a moment is in one of them."""
        here = moment.astimezone(self.zone)
        minute = here.hour * 60 + here.minute
        today, yesterday = here.weekday(), (here - timedelta(days=1)).weekday()
        return any(
            (self._is_on(today) and window.start <= minute < _end(window))
            or (self._is_on(yesterday) and minute < _end(window) - _DAY)
            for window in self.windows
        )

    def _is_on(self, day: int) -> bool:
        return not self.days or day in self.days

    def __str__(self) -> str:
        parts = [", ".join(map(str, self.windows))] if tuple(self.windows) != (WHOLE_DAY,) else []
        parts += [", ".join(DAYS[day] for day in self.days)] if self.days else []
        return " ".join([*parts, str(self.zone)])


def _end(window: Window) -> int:
    return window.end if window.end > window.start else window.end + _DAY


def parse_window(text: str) -> Window:
    """A window as `22:00-06:00`, `24:00` being the day's end. Raises ValueError."""
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(f"it should be a time of day as 22:00-06:00, not {text!r}")
    hours, minutes, end_hours, end_minutes = map(int, found.groups())
    start, end = hours * 60 + minutes, end_hours * 60 + end_minutes
    if max(minutes, end_minutes) > 59 or start >= _DAY or end > _DAY:
        raise ValueError(f"{text!r} names a time that no day has")
    if start == end:
        raise ValueError(f"{text!r} begins where it ends")
    return Window(start, end)
