"""The fair queue against what anybody may do to it: nobody starves, nobody is lost, nobody waits out of turn."""

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from nexus.gateway.queue.fair import EVERY, GROUP_CALLS, FairQueue, Line, Ticket

URLS = ("http://a", "http://b", "http://c")
MODELS = ("m", "n")
MOST = 25


class Machine(RuleBasedStateMachine):
    """`waiting` is the model: who waits, in the order in which they came."""

    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[Ticket, Line] = FairQueue(MOST)
        self.waiting: list[Ticket] = []
        self.passed: Counter[Ticket] = Counter()  # how many places others had that this class would have wanted

    @rule(
        target=tickets,
        urls=st.sets(st.sampled_from(URLS), min_size=1),
        model=st.sampled_from(MODELS),
        priority=st.sampled_from(tuple(EVERY)),
        token=st.sampled_from(("ada", "bob", "eve")),
    )
    def enter(self, urls: set[str], model: str, priority: str, token: str) -> Ticket:
        key = (model, tuple(sorted(urls)))
        names = ("op", "svc", model)
        line = self.queue.line(key) or Line(key, dict.fromkeys(urls, model), names, frozenset(URLS[:2]))
        ticket = Ticket(line, priority, token, 0.0, 1.0)
        full = len(self.waiting) == MOST
        victim = self.queue.enter(ticket, line)
        assert (victim is not None) is full
        if victim is not ticket:
            self.waiting.append(ticket)
        if victim is not None and victim is not ticket:
            ranks = list(EVERY)
            assert ranks.index(victim.priority) >= ranks.index(priority)
            self.waiting.remove(victim)
        return ticket

    @rule(ticket=consumes(tickets))
    def leave(self, ticket: Ticket) -> None:
        self.queue.leave(ticket)
        if ticket in self.waiting:
            self.waiting.remove(ticket)

    @precondition(lambda self: self.waiting)
    @rule(url=st.sampled_from(URLS), times=st.integers(1, 12))
    def take(self, url: str, times: int) -> None:
        for _ in range(times):
            wanting = [ticket for ticket in self.waiting if url in ticket.line.models]
            choice = self.queue.next(url, 0.0)
            assert (choice is None) is (not wanting), "a place stays free only where nobody wants it"
            if choice is None:
                return
            assert choice.ticket in wanting
            self._is_fair(choice.ticket, wanting, choice.grouped)
            self.queue.take(choice, url, 0.0)
            self.waiting.remove(choice.ticket)

    def _is_fair(self, taken: Ticket, wanting: list[Ticket], grouped: bool) -> None:
        same = [ticket for ticket in wanting if (ticket.priority, ticket.token) == (taken.priority, taken.token)]
        if not grouped:
            assert taken is same[0], "oldest first inside one token"
        for ticket in wanting:
            if ticket.priority != taken.priority:
                self.passed[ticket] += 1
        for ticket in self.waiting:
            if ticket.priority == taken.priority:
                self.passed[ticket] = 0
        batch = [ticket for ticket in self.waiting if ticket.priority == "batch"]
        assert all(self.passed[ticket] < EVERY["batch"] for ticket in batch), "at least one of ten"
        normal = [ticket for ticket in self.waiting if ticket.priority == "normal"]
        assert all(self.passed[ticket] <= EVERY["normal"] for ticket in normal)

    @invariant()
    def counts_are_true(self) -> None:
        assert self.queue.waiting == len(self.waiting) <= MOST
        assert set(self.queue.tickets()) == set(self.waiting)
        told = Counter(("op", "svc", ticket.line.names[2], ticket.priority) for ticket in self.waiting)
        assert self.queue.counts() == told
        assert {line.key for line in self.queue.lines()} == {ticket.line.key for ticket in self.waiting}


TestFairQueue = Machine.TestCase
TestFairQueue.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


def drained(queue: FairQueue[Ticket, Line], url: str) -> list[Ticket]:
    taken = []
    while (choice := queue.next(url, 0.0)) is not None:
        queue.take(choice, url, 0.0)
        taken.append(choice.ticket)
    return taken


def filled(calls: list[tuple[str, str]], *, swaps: bool) -> tuple[FairQueue[Ticket, Line], list[Ticket]]:
    """A queue for one instance with these (token, model) of one class."""
    queue: FairQueue[Ticket, Line] = FairQueue()
    tickets: list[Ticket] = []
    swapping = frozenset(URLS[:1] if swaps else ())
    lines = {model: Line(model, {URLS[0]: model}, ("op", "svc", model), swapping) for model in MODELS}
    for token, model in calls:
        ticket = Ticket(lines[model], "interactive", token, 0.0, 1.0)
        queue.enter(ticket, lines[model])
        tickets.append(ticket)
    return queue, tickets


calls = st.lists(st.tuples(st.sampled_from(("ada", "bob", "eve")), st.sampled_from(MODELS)), max_size=60)


@settings(deadline=None)
@given(calls)
def test_no_token_gets_two_while_another_waits_for_one(asked: list[tuple[str, str]]) -> None:
    queue, _ = filled(asked, swaps=False)
    left = Counter(token for token, _ in asked)
    passed: Counter[str] = Counter()
    tokens = len(left)
    for ticket in drained(queue, URLS[0]):
        left[ticket.token] -= 1
        passed[ticket.token] = 0
        for other in left:
            if other != ticket.token and left[other]:
                passed[other] += 1
                assert passed[other] < tokens
    assert not +left


@settings(deadline=None)
@given(calls)
def test_grouping_swaps_no_oftener_and_loses_nobody(asked: list[tuple[str, str]]) -> None:
    plain, tickets = filled(asked, swaps=False)
    grouped, others = filled(asked, swaps=True)
    one, other = drained(plain, URLS[0]), drained(grouped, URLS[0])
    assert set(one) == set(tickets)
    assert set(other) == set(others)
    assert swaps_of(other) <= swaps_of(one)


@settings(deadline=None)
@given(st.lists(st.sampled_from(MODELS), min_size=1, max_size=60))
def test_grouping_holds_nobody_up_for_long(models: list[str]) -> None:
    """Of one token, whose order is that of age: nobody is overtaken by more than one group between two swaps."""
    queue, tickets = filled([("ada", model) for model in models], swaps=True)
    overtaken: Counter[Ticket] = Counter()
    left = list(tickets)
    for ticket in drained(queue, URLS[0]):
        oldest = left[0]
        if ticket is not oldest:
            overtaken[oldest] += 1
        left.remove(ticket)
    assert max(overtaken.values(), default=0) <= GROUP_CALLS


def swaps_of(taken: list[Ticket]) -> int:
    models = [ticket.line.models[URLS[0]] for ticket in taken]
    return sum(one != other for one, other in pairwise(models))
