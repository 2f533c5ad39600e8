"""What is used is counted in the period that it is; what others tell is taken for what it is worth then."""

from datetime import UTC
from zoneinfo import ZoneInfo

from nexus.policies.spending import Spending, Spendings
from nexus.store.rows import Amounts, UsedAmounts

DAY, MONTH = 86_400.0, 31 * 86_400.0  # January 1970


def told(gateway: str, requests: int, starts: float = 0.0, ends: float = DAY, token: str = "ada") -> UsedAmounts:
    kind = "day" if ends - starts <= 1.1 * DAY else "month"
    return UsedAmounts(gateway, token, kind, starts, ends, Amounts(requests, 10 * requests, requests / 2))  # type: ignore[arg-type]


def begun(now: float = 5.0) -> Spending:
    spending = Spending()
    spending.at(now, UTC)
    return spending


def test_a_day_ends_and_the_month_goes_on() -> None:
    spending = begun()
    spending.add_request()
    spending.add(7, 1.5)
    assert spending.day.here == spending.month.here == Amounts(1, 7, 1.5)
    spending.at(DAY - 0.001, UTC)
    assert spending.day.here == Amounts(1, 7, 1.5)
    spending.at(DAY, UTC)
    assert (spending.day.starts, spending.day.ends, spending.day.here) == (DAY, 2 * DAY, Amounts())
    assert (spending.month.ends, spending.month.here) == (MONTH, Amounts(1, 7, 1.5))
    spending.at(MONTH + 9, UTC)
    assert (spending.month.starts, spending.month.here) == (MONTH, Amounts())


def test_a_clock_that_goes_back_begins_nothing_anew() -> None:
    spending = begun(DAY + 1)
    spending.add_request()
    spending.at(DAY - 1, UTC)
    assert (spending.day.starts, spending.day.requests) == (DAY, 1)


def test_another_zone_holds_from_the_next_period_on() -> None:
    spending = begun()
    spending.add_request()
    berlin = ZoneInfo("Europe/Berlin")
    spending.at(DAY - 1800, berlin)
    assert (spending.day.ends, spending.day.requests) == (DAY, 1)
    spending.at(DAY, berlin)
    assert (spending.day.starts, spending.day.requests) == (DAY - 3600, 0)


def test_what_others_tell_is_all_that_they_have_counted() -> None:
    spending = begun()
    spending.learn(told("b", 2), 5.0)
    spending.learn(told("c", 1), 5.0)
    spending.learn(told("b", 2), 5.0)
    assert spending.day.elsewhere == Amounts(3, 30, 1.5)
    spending.learn(told("b", 5), 5.0)
    assert spending.day.elsewhere.requests == 6
    assert spending.month.elsewhere == Amounts()
    spending.learn(told("b", 7, 0.0, MONTH), 5.0)
    assert (spending.day.elsewhere.requests, spending.month.elsewhere.requests) == (6, 7)


def test_what_others_have_used_ends_with_its_period() -> None:
    spending = begun()
    spending.learn(told("b", 2), 5.0)
    spending.learn(told("b", 2, 0.0, MONTH), 5.0)
    spending.learn(told("b", 4, DAY, 2 * DAY), DAY - 1)  # its clock is ahead
    assert spending.day.elsewhere.requests == 2
    spending.at(DAY, UTC)
    assert (spending.day.elsewhere.requests, spending.month.elsewhere.requests) == (4, 2)
    spending.at(2 * DAY, UTC)
    assert spending.day.elsewhere == Amounts()


def test_what_was_told_before_anybody_asked_counts_when_somebody_does() -> None:
    spendings = Spendings()
    spendings.learn([told("b", 2), told("b", 1, token="bob")], 5.0)
    assert spendings.of("ada", 6.0, UTC).day.elsewhere.requests == 2
    assert spendings.of("bob", 6.0, UTC).day.elsewhere.requests == 1
    assert spendings.of("eve", 6.0, UTC).day.elsewhere.requests == 0


def test_a_name_has_one_spending() -> None:
    spendings = Spendings()
    assert spendings.of("ada", 5.0, UTC) is spendings.of("ada", 6.0, UTC)
    spendings.of("ada", 7.0, UTC).add_request()
    assert spendings.of("ada", DAY, UTC).day.requests == 0
    assert spendings.of("ada", DAY, UTC).month.requests == 1


def test_only_what_was_counted_is_told_to_others() -> None:
    spendings = Spendings()
    spendings.learn([told("b", 2)], 5.0)
    spendings.of("idle", 5.0, UTC)
    assert list(spendings.counted("a")) == []
    spendings.of("ada", 5.0, UTC).add(0, 0.5)
    assert list(spendings.counted("a")) == [
        UsedAmounts("a", "ada", "day", 0.0, DAY, Amounts(0, 0, 0.5)),
        UsedAmounts("a", "ada", "month", 0.0, MONTH, Amounts(0, 0, 0.5)),
    ]
