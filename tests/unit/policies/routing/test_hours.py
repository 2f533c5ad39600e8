"""Times of day: over midnight, on some days, in another place's time, across its changes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from nexus.policies.routing.hours import DAYS, Hours, parse_window

NIGHT = (parse_window("22:00-06:00"),)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [("2026-01-05T22:00", True), ("2026-01-05T21:59", False), ("2026-01-06T05:59", True), ("2026-01-06T06:00", False)],
)
def test_a_night_begins_and_ends_to_the_minute(moment: str, inside: bool) -> None:
    assert Hours(UTC, NIGHT).contain(at(moment)) is inside


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-01-05T23:00", True),  # Monday
        ("2026-01-06T05:00", True),  # the rest of Monday's night
        ("2026-01-06T23:00", False),
        ("2026-01-05T05:00", False),  # the rest of Sunday's
    ],
)
def test_a_night_belongs_to_the_day_it_begins_on(moment: str, inside: bool) -> None:
    assert Hours(UTC, NIGHT, (DAYS.index("mon"),)).contain(at(moment)) is inside


def test_days_alone_are_whole_days() -> None:
    weekend = Hours(UTC, days=(5, 6))
    assert [weekend.contain(at(f"2026-01-{day:02}T00:00")) for day in range(5, 12)] == [False] * 5 + [True] * 2
    assert weekend.contain(at("2026-01-11T23:59"))


def test_it_is_the_other_places_time_in_summer_and_in_winter() -> None:
    office = Hours(ZoneInfo("Europe/Berlin"), (parse_window("09:00-24:00"),))
    assert [office.contain(at(f"2026-{month}-05T07:30")) for month in ("01", "07")] == [False, True]
    assert office.contain(at("2026-01-05T22:59"))


def test_several_windows() -> None:
    hours = Hours(UTC, (parse_window("08:00-09:00"), parse_window("18:00-19:00")))
    assert [hours.contain(at(f"2026-01-05T{hour:02}:30")) for hour in (8, 12, 18)] == [True, False, True]
    assert str(hours) == "08:00-09:00, 18:00-19:00 UTC"


@pytest.mark.parametrize("text", ["", "9-17", "9:00-17:00", "24:00-25:00", "10:60-11:00", "10:00-10:00", "10:00"])
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(ValueError, match=r"time of day|no day has|begins where it ends"):
        parse_window(text)
