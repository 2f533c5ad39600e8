"""Days and months begin at midnight, in leap years and when clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from nexus.policies.periods import PERIODS, day_of, month_of, zone_of


def at(text: str) -> float:
    """A moment; without an offset it is UTC's."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        ("2028-02-28T23:59:59.9", ("2028-02-28", "2028-02-29"), ("2028-02-01", "2028-03-01")),
        ("2028-02-29", ("2028-02-29", "2028-03-01"), ("2028-02-01", "2028-03-01")),
        ("2027-02-28T12:00", ("2027-02-28", "2027-03-01"), ("2027-02-01", "2027-03-01")),
        ("2100-02-28T12:00", ("2100-02-28", "2100-03-01"), ("2100-02-01", "2100-03-01")),
        ("2026-12-31T23:00", ("2026-12-31", "2027-01-01"), ("2026-12-01", "2027-01-01")),
        ("2027-01-01", ("2027-01-01", "2027-01-02"), ("2027-01-01", "2027-02-01")),
    ],
)
def test_in_utc(now: str, day: tuple[str, str], month: tuple[str, str]) -> None:
    assert day_of(at(now), UTC) == (at(day[0]), at(day[1]))
    assert month_of(at(now), UTC) == (at(month[0]), at(month[1]))


@pytest.mark.parametrize(
    ("zone", "now", "starts", "hours"),
    [
        ("Europe/Berlin", "2027-03-28T12:00+02:00", "2027-03-28T00:00+01:00", 23),
        ("Europe/Berlin", "2027-10-31T12:00+01:00", "2027-10-31T00:00+02:00", 25),
        ("Europe/Berlin", "2027-07-01T00:30+02:00", "2027-07-01T00:00+02:00", 24),
        ("Africa/Cairo", "2024-04-26T12:00+03:00", "2024-04-26T01:00+03:00", 23),  # midnight does not happen there
        ("Africa/Cairo", "2024-10-31T23:30+02:00", "2024-10-31T00:00+03:00", 25),  # this hour is there twice
        ("America/Havana", "2024-11-03T00:30-05:00", "2024-11-03T00:00-04:00", 25),  # midnight happens twice
        ("Australia/Lord_Howe", "2024-10-06T12:00+11:00", "2024-10-06T00:00+10:30", 23.5),
        ("America/St_Johns", "2007-11-03T23:30-03:30", "2007-11-04T00:00-02:30", 25),  # back over midnight, at 0:01
        ("Pacific/Apia", "2011-12-31T12:00+14:00", "2011-12-31T00:00+14:00", 24),  # the day before was left out
    ],
)
def test_when_clocks_change(zone: str, now: str, starts: str, hours: float) -> None:
    assert day_of(at(now), ZoneInfo(zone)) == (at(starts), at(starts) + hours * 3600)


def test_a_month_begins_at_its_zones_midnight() -> None:
    bounds = month_of(at("2027-03-31T23:30"), ZoneInfo("Europe/Berlin"))
    assert bounds == (at("2027-04-01T00:00+02:00"), at("2027-05-01T00:00+02:00"))


def test_both_are_known_by_name() -> None:
    assert {kind: of(at("2027-05-05"), UTC) for kind, of in PERIODS.items()} == {
        "day": (at("2027-05-05"), at("2027-05-06")),
        "month": (at("2027-05-01"), at("2027-06-01")),
    }


def test_a_zone_by_its_name() -> None:
    assert zone_of("UTC") is UTC
    assert zone_of("Europe/Berlin") is zone_of("Europe/Berlin")


@pytest.mark.parametrize("name", ["Europe/Nowhere", "Europe", "../etc/passwd", "/etc/passwd", "a\0b", "é", ""])
def test_a_zone_that_nobody_knows(name: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        zone_of(name)
