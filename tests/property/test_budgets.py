"""Periods against the calendar of every zone, and the counting of several gateways against one sum."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import example, given
from hypothesis import strategies as st

from nexus.policies.periods import PERIODS, day_of, month_of
from nexus.policies.spending import Spendings
from nexus.store.rows import UsedAmounts

DAY = 86_400.0
zones = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})).map(ZoneInfo)
moments = st.floats(0, datetime(2100, 1, 1, tzinfo=UTC).timestamp())


@given(moments, zones)
@example(2051222399.9999995, ZoneInfo("UTC"))
def test_a_period_holds_its_moment_and_the_next_begins_where_it_ends(now: float, zone: ZoneInfo) -> None:
    for period in PERIODS.values():
        starts, ends = period(now, zone)
        assert starts <= now < ends
        assert period(starts, zone) == period(ends - 1, zone) == (starts, ends)
        assert period(ends, zone)[0] == ends


@given(moments, zones)
def test_a_day_is_a_date_and_a_month_is_one(now: float, zone: ZoneInfo) -> None:
    local = datetime.fromtimestamp(int(now), zone)
    day = datetime.fromtimestamp(day_of(now, zone)[0], zone)
    month = datetime.fromtimestamp(month_of(now, zone)[0], zone)
    skewed = day_of(now, zone)[0] > now - 3700 and day.date() > local.date()  # clocks went back over midnight
    assert day.date() == local.date() or skewed
    assert (month.year, month.month) == (local.year, local.month) or skewed
    assert 12 * 3600 <= day_of(now, zone)[1] - day_of(now, zone)[0] <= 36 * 3600
    assert 27 * DAY <= month_of(now, zone)[1] - month_of(now, zone)[0] <= 32 * DAY


class Shared:
    """The database: whole rows by who writes them, told to everybody else."""

    def __init__(self, gateways: int) -> None:
        self.rows: dict[tuple[str, str, str, float], UsedAmounts] = {}
        self.spendings = [Spendings() for _ in range(gateways)]

    def exchange(self, at: int, now: float, *, writes: bool) -> None:
        """What one gateway does about once a second; `writes` False: its write does not come through."""
        if writes:
            for one in self.spendings[at].counted(f"g{at}"):
                self.rows[(one.gateway, one.token, one.kind, one.starts)] = one
        told = [one for one in self.rows.values() if one.gateway != f"g{at}" and one.ends > now]
        self.spendings[at].learn(told, now)


steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(("ada", "bob")),
        st.integers(0, 50),
        st.sampled_from((0.0, 1.0, 3600.0, 20_000.0, DAY)),
        st.sampled_from(("", "write", "read")),
    ),
    max_size=40,
)


@given(steps, zones)
def test_whoever_counts_and_whenever_it_is_told_the_sum_is_right(steps: list[tuple[Any, ...]], zone: ZoneInfo) -> None:
    """Once all have told each other, each knows all that was used in the day and the month that it is."""
    shared, now = Shared(3), 1_800_000_000.0
    reference: dict[tuple[str, str, float], int] = defaultdict(int)
    for at, name, tokens, wait, exchange in steps:
        now += wait
        shared.spendings[at].of(name, now, zone).add(tokens, tokens / 4)
        for kind, period in PERIODS.items():
            reference[(name, kind, period(now, zone)[0])] += tokens
        if exchange:
            shared.exchange(at, now, writes=exchange == "write")
    for at in (0, 1, 2, 0, 1, 2):
        shared.exchange(at, now, writes=True)
    for spendings in shared.spendings:
        for name in ("ada", "bob"):
            spending = spendings.of(name, now, zone)
            for kind, meter in (("day", spending.day), ("month", spending.month)):
                used = meter.here + meter.elsewhere
                wanted = reference[(name, kind, PERIODS[kind](now, zone)[0])]  # type: ignore[index]
                assert (used.tokens, used.engine_seconds) == (wanted, wanted / 4)
