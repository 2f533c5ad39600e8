"""Who is next, in cases that can be told by hand; see tests/property/test_fair.py for the laws."""

import pytest

from nexus.gateway.queue.fair import EVERY, GROUP_CALLS, GROUP_SECONDS, FairQueue, Line, Ticket

X, Y = "http://x", "http://y"


def line(*urls: str, model: str = "m", swaps: bool = False) -> Line:
    models = dict.fromkeys(urls or (X,), model)
    return Line((model, urls), models, ("chat.completions", "svc", model), frozenset(models if swaps else ()))


class Queue:
    """A queue and the names of who waits in it."""

    def __init__(self, most: int = 1000) -> None:
        self.fair: FairQueue[Ticket, Line] = FairQueue(most)
        self.names: dict[Ticket, str] = {}

    def enter(self, name: str, where: Line, priority: str = "interactive", token: str = "ada") -> str | None:
        where = self.fair.line(where.key) or where
        ticket = Ticket(where, priority, token, 0.0, 30.0)
        self.names[ticket] = name
        victim = self.fair.enter(ticket, where)
        return None if victim is None else self.names[victim]

    def take(self, url: str = X, now: float = 0.0) -> str:
        choice = self.fair.next(url, now)
        assert choice is not None
        self.fair.take(choice, url, now)
        return self.names[choice.ticket]

    def rest(self, url: str = X) -> list[str]:
        taken = []
        while self.fair.next(url, 0.0) is not None:
            taken.append(self.take(url))
        return taken


@pytest.fixture
def queue() -> Queue:
    return Queue()


def test_nobody_waits(queue: Queue) -> None:
    assert queue.fair.next(X, 0.0) is None
    assert queue.fair.waiting == 0
    assert queue.fair.counts() == {}


def test_the_oldest_of_a_token_is_first(queue: Queue) -> None:
    one, other = line(X), line(X, Y)
    for name, where in (("a", other), ("b", one), ("c", other)):
        queue.enter(name, where)
    assert queue.rest() == ["a", "b", "c"]


def test_tokens_take_turns(queue: Queue) -> None:
    where = line()
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        queue.enter(name, where, token=name[0])
    assert queue.rest() == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_the_lower_classes_get_what_they_are_promised(queue: Queue) -> None:
    where = line()
    for priority in EVERY:
        for _ in range(40):
            queue.enter(priority, where, priority)
    taken = [queue.take() for _ in range(60)]
    assert taken[:4] == ["interactive", "interactive", "normal", "interactive"]
    assert [taken[start : start + 10].count("batch") for start in range(0, 60, 10)] == [1] * 6
    assert all(1 <= taken[start : start + 4].count("normal") <= 2 for start in range(0, 60, 4))
    assert taken.count("interactive") > taken.count("normal") > taken.count("batch")


def test_who_can_be_answered_elsewhere_alone_is_not_next_here(queue: Queue) -> None:
    queue.enter("elsewhere", line(Y))
    assert queue.fair.next(X, 0.0) is None
    queue.enter("here", line(X), "batch")
    assert queue.take(X) == "here"
    assert queue.take(Y) == "elsewhere"


def test_where_a_line_leads_may_change(queue: Queue) -> None:
    where = line(X)
    queue.enter("a", where)
    where.models = {Y: "m"}
    assert queue.fair.next(X, 0.0) is None
    assert queue.take(Y) == "a"


def test_who_leaves_is_not_next(queue: Queue) -> None:
    where = line()
    queue.enter("a", where)
    queue.enter("b", where)
    first = next(ticket for ticket, name in queue.names.items() if name == "a")
    queue.fair.leave(first)
    queue.fair.leave(first)
    assert queue.fair.waiting == 1
    assert queue.fair.counts() == {("chat.completions", "svc", "m", "interactive"): 1}
    assert queue.rest() == ["b"]
    assert queue.fair.lines() == ()


def test_a_line_is_found_as_long_as_somebody_stands_in_it(queue: Queue) -> None:
    where = line()
    assert queue.fair.line(where.key) is None
    queue.enter("a", where)
    assert queue.fair.line(where.key) is where
    assert [queue.names[ticket] for ticket in queue.fair.tickets(where)] == ["a"]
    queue.take()
    assert queue.fair.line(where.key) is None


def swapping(queue: Queue, *, swaps: bool = True) -> Queue:
    """The instance has just been given `m`; one that wants `n` is the oldest, many that want `m` come after it."""
    queue.enter("m first", line(model="m", swaps=swaps), token="bob")
    queue.enter("n", line(model="n", swaps=swaps))
    for number in range(30):
        queue.enter(f"m{number}", line(model="m", swaps=swaps))
    assert queue.take() == "m first"
    return queue


class TestGrouping:
    def test_the_model_that_is_there_goes_on_for_some_calls(self, queue: Queue) -> None:
        taken = [swapping(queue).take(), *(queue.take() for _ in range(GROUP_CALLS + 1))]
        assert taken == [*(f"m{number}" for number in range(GROUP_CALLS)), "n", f"m{GROUP_CALLS}"]

    def test_the_model_that_is_there_goes_on_for_some_time(self, queue: Queue) -> None:
        assert swapping(queue).take(now=100.0) == "m0"
        assert queue.take(now=100.0 + GROUP_SECONDS / 2) == "m1"
        assert queue.take(now=100.0 + GROUP_SECONDS) == "n"

    def test_nothing_is_grouped_where_nothing_is_swapped(self, queue: Queue) -> None:
        assert swapping(queue, swaps=False).take() == "n"

    def test_a_class_is_not_overtaken_by_a_lower_one(self, queue: Queue) -> None:
        queue.enter("m first", line(model="m", swaps=True))
        queue.enter("m", line(model="m", swaps=True), "batch")
        queue.enter("n", line(model="n", swaps=True))
        assert [queue.take(), queue.take(), queue.take()] == ["m first", "n", "m"]


class TestFull:
    def test_one_token_alone_is_told_to_come_again(self) -> None:
        queue = Queue(most=2)
        assert [queue.enter(name, line()) for name in ("a", "b", "c")] == [None, None, "c"]
        assert queue.rest() == ["a", "b"]

    def test_the_newest_of_the_lowest_class_goes_for_a_higher_one(self) -> None:
        queue = Queue(most=3)
        queue.enter("n", line(), "normal")
        queue.enter("b1", line(), "batch")
        queue.enter("b2", line(), "batch")
        assert queue.enter("i", line()) == "b2"
        assert queue.enter("n2", line(), "normal") == "b1"
        assert queue.enter("b3", line(), "batch") == "b3"
        assert queue.enter("i2", line()) == "n2"
        assert sorted(queue.rest()) == ["i", "i2", "n"]

    def test_a_token_with_many_makes_room_for_others(self) -> None:
        queue = Queue(most=4)
        for number in range(4):
            queue.enter(f"a{number}", line(), token="ada")
        assert queue.enter("b0", line(), token="bob") == "a3"
        assert queue.enter("b1", line(), token="bob") == "a2"
        assert queue.enter("b2", line(), token="bob") == "b2"
        assert queue.fair.waiting == 4
        assert queue.rest() == ["a0", "b0", "a1", "b1"]
