"""Who is next: by priority, in turns between tokens, oldest first inside one. Pure; the clock is an argument.

Laws: while a class has a call that a place would do for, it gets at least one of so many of those places as `EVERY`
says; a token that waits gets a place of its class before any other token gets two; what is grouped by model overtakes
others of its class at most `GROUP_CALLS` times and for `GROUP_SECONDS`; never more than `most` calls wait.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Final, Generic, TypeVar

EVERY: Final[Mapping[str, int]] = {"interactive": 1, "normal": 3, "batch": 10}
"""The priorities, highest first. A lower one that has been passed over so often, less one, is next; where two are, the
lowest of them, so that `normal` may come one later."""

GROUP_CALLS: Final = 8
GROUP_SECONDS: Final = 5.0


class Line:
    """Calls that the same instances can answer: `models` has, by an instance's URL, the model that answers there.

    `swaps` are the URLs of those that load one model in another's place. `names` are operation, service and model, for
    those who want to know what is waited for. `key` tells lines apart.
    """

    __slots__ = ("count", "key", "models", "names", "swaps")

    def __init__(
        self, key: Hashable, models: Mapping[str, str], names: tuple[str, str, str], swaps: frozenset[str] = frozenset()
    ) -> None:
        self.key = key
        self.models = models
        self.names = names
        self.swaps = swaps
        self.count = 0


class Ticket:
    """One call that waits. `since` and `until` (when it has waited long enough) are times of the caller's clock."""

    __slots__ = ("line", "number", "priority", "since", "token", "until")

    def __init__(self, line: Line, priority: str, token: str, since: float, until: float) -> None:
        self.line = line
        self.priority = priority
        self.token = token
        self.since = since
        self.until = until
        self.number = 0


T = TypeVar("T", bound=Ticket)
L = TypeVar("L", bound=Line)


class Choice(Generic[T]):
    """Whose turn it is. `grouped`: it comes before others because the instance has its model loaded already."""

    __slots__ = ("grouped", "ticket")

    def __init__(self, ticket: T, *, grouped: bool = False) -> None:
        self.ticket = ticket
        self.grouped = grouped


class _Run:
    """The model that an instance was given last, and how often it was preferred since when."""

    __slots__ = ("model", "overtaken", "since")

    def __init__(self, model: str) -> None:
        self.model = model
        self.overtaken = 0
        self.since = 0.0

    def goes_on(self, now: float) -> bool:
        return self.overtaken == 0 or (self.overtaken < GROUP_CALLS and now - self.since < GROUP_SECONDS)


class _Token(Generic[T]):
    """What one token has waiting in one class, by line."""

    __slots__ = ("count", "lines")

    def __init__(self) -> None:
        self.count = 0
        self.lines: dict[Line, OrderedDict[T, None]] = {}

    def oldest(self, url: str, model: str | None = None) -> T | None:
        """Its oldest call that the instance can answer; with a model's name, by that model."""
        heads = (
            next(iter(tickets))
            for line, tickets in self.lines.items()
            if url in line.models and (model is None or line.models[url] == model)
        )
        return min(heads, key=lambda ticket: ticket.number, default=None)

    def newest(self) -> T:
        return max((next(reversed(tickets)) for tickets in self.lines.values()), key=lambda ticket: ticket.number)


class _Class(Generic[T]):
    """One priority; its tokens stand in the order of their turns. `passed`: how many places others had meanwhile."""

    __slots__ = ("every", "lines", "passed", "tokens")

    def __init__(self, every: int) -> None:
        self.every = every
        self.passed = 0
        self.tokens: OrderedDict[str, _Token[T]] = OrderedDict()
        self.lines: dict[Line, int] = {}

    def wants(self, url: str) -> bool:
        return any(url in line.models for line in self.lines)

    def first(self, url: str, model: str | None = None) -> T | None:
        for token in self.tokens.values():
            ticket = token.oldest(url, model)
            if ticket is not None:
                return ticket
        return None


class FairQueue(Generic[T, L]):
    """The calls that wait. `most` bounds them, and may be changed at any time."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.waiting = 0
        self._numbers = 0
        self._classes: dict[str, _Class[T]] = {name: _Class(every) for name, every in EVERY.items()}
        self._lines: dict[Hashable, L] = {}
        self._runs: dict[str, _Run] = {}

    def line(self, key: Hashable) -> L | None:
        """The line that has this key, as long as somebody stands in it."""
        return self._lines.get(key)

    def lines(self) -> tuple[L, ...]:
        """All lines in which somebody stands."""
        return tuple(self._lines.values())

    def tickets(self, line: L | None = None) -> Iterator[T]:
        """All that wait, in no order; or those of one line."""
        for one in self._classes.values():
            for token in one.tokens.values():
                for where, tickets in token.lines.items():
                    if line is None or where is line:
                        yield from tickets

    def counts(self) -> dict[tuple[str, str, str, str], int]:
        """How many wait, by operation, service, model and priority."""
        counts: dict[tuple[str, str, str, str], int] = {}
        for priority, one in self._classes.items():
            for line, count in one.lines.items():
                key = (*line.names, priority)
                counts[key] = counts.get(key, 0) + count
        return counts

    def enter(self, ticket: T, line: L) -> T | None:
        """Let it wait in `line`, which is its own.

        The one that has to go for want of room, if one has: it may be `ticket` itself.
        """
        victim = self._victim(ticket) if self.waiting >= self.most else None
        if victim is ticket:
            return ticket
        if victim is not None:
            self.leave(victim)
        self._numbers += 1
        ticket.number = self._numbers
        group = self._classes[ticket.priority]
        token = group.tokens.get(ticket.token)
        if token is None:
            token = group.tokens[ticket.token] = _Token()
        token.lines.setdefault(line, OrderedDict())[ticket] = None
        token.count += 1
        group.lines[line] = group.lines.get(line, 0) + 1
        line.count += 1
        self._lines[line.key] = line
        self.waiting += 1
        return victim

    def leave(self, ticket: T) -> None:
        """It waits no longer; no harm where it does not."""
        group, line = self._classes[ticket.priority], ticket.line
        token = group.tokens.get(ticket.token)
        tickets = token.lines.get(line) if token is not None else None
        if token is None or tickets is None or ticket not in tickets:
            return
        del tickets[ticket]
        if not tickets:
            del token.lines[line]
        token.count -= 1
        if not token.count:
            del group.tokens[ticket.token]
        group.lines[line] -= 1
        if not group.lines[line]:
            del group.lines[line]
        line.count -= 1
        if not line.count:
            del self._lines[line.key]
        self.waiting -= 1
        if not self.waiting:
            self._runs.clear()

    def next(self, url: str, now: float) -> Choice[T] | None:
        """Whose turn it is for a place at the instance."""
        group = self._due(url)
        ticket = group.first(url) if group is not None else None
        if group is None or ticket is None:
            return None
        run = self._runs.get(url) if url in ticket.line.swaps else None
        if run is not None and ticket.line.models[url] != run.model and run.goes_on(now):
            same = group.first(url, run.model)
            if same is not None:
                return Choice(same, grouped=True)
        return Choice(ticket)

    def take(self, choice: Choice[T], url: str, now: float) -> None:
        """It gets the place: it waits no longer, and its token is the last of its class."""
        ticket = choice.ticket
        model = ticket.line.models[url]
        for name, group in self._classes.items():
            if name == ticket.priority:
                group.passed = 0
            elif group.wants(url):
                group.passed += 1
        self._classes[ticket.priority].tokens.move_to_end(ticket.token)
        run = self._runs.get(url)
        if run is None or run.model != model:
            self._runs[url] = _Run(model)
        elif choice.grouped:
            run.since = run.since if run.overtaken else now
            run.overtaken += 1
        self.leave(ticket)

    def _due(self, url: str) -> _Class[T] | None:
        """The class whose turn it is: the highest, or the lowest that was passed over long enough."""
        wanting = [group for group in self._classes.values() if group.wants(url)]
        if not wanting:
            return None
        due = [group for group in wanting if group.passed >= group.every - 1]
        return due[-1] if due else wanting[0]

    def _victim(self, newcomer: T) -> T:
        """Who goes where all places to wait are taken: the newest of the token that has most of the lowest class.

        Nobody goes for a newcomer of a lower class, nor for one whose token would then have as many as that one.
        """
        for priority, group in reversed(self._classes.items()):
            if priority == newcomer.priority:
                greatest = _greatest(group.tokens.values())
                own = group.tokens.get(newcomer.token)
                fewer = greatest is not None and greatest.count > (own.count if own else 0) + 1
                return greatest.newest() if greatest is not None and fewer else newcomer
            greatest = _greatest(group.tokens.values())
            if greatest is not None:
                return greatest.newest()
        return newcomer


def _greatest(tokens: Iterable[_Token[T]]) -> _Token[T] | None:
    return max(tokens, key=lambda token: token.count, default=None)
