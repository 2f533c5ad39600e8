"""Many more callers than a service has places for, and what became of them: black box, over real connections."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.servers.raw import Answer, ClosedError, RawClient, request


@dataclass(frozen=True, slots=True)
class Ended:
    """One call: whose it was, how long it took and what came of it."""

    token: str
    seconds: float
    status: int
    code: str = ""
    retry_after: str | None = None


@dataclass
class Load:
    """What callers saw; appended to by their threads."""

    seconds: float = 0.0
    ended: list[Ended] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def of(self, token: str, status: int = 200) -> list[Ended]:
        return [one for one in self.ended if one.token == token and one.status == status]

    def goodput(self) -> float:
        """Good answers a second."""
        return sum(one.status == 200 for one in self.ended) / self.seconds

    def slowest(self, token: str, part: float = 0.99) -> float:
        """Seconds that so great a part of a token's good answers took at most."""
        times = sorted(one.seconds for one in self.of(token))
        return times[min(len(times) - 1, int(len(times) * part))]


def overload(port: int, callers: Mapping[str, int], seconds: float, body: object) -> Load:
    """So many callers for each token, who ask again as soon as they are answered, for so long."""
    load = Load()
    until = time.monotonic() + seconds
    data = json.dumps(body).encode()
    tokens: Sequence[str] = [token for token, count in callers.items() for _ in range(count)]
    threads = [threading.Thread(target=_ask_on, args=(port, token, data, until, load)) for token in tokens]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 60)
    load.seconds = max(seconds, time.monotonic() - began)
    return load


def _ask_on(port: int, token: str, data: bytes, until: float, load: Load) -> None:
    try:
        with RawClient(port, timeout=60.0) as client:
            while time.monotonic() < until:
                began = time.monotonic()
                client.send(request("/v1/chat/completions", data, token=token))
                answer = client.answer()
                load.ended.append(_told(token, time.monotonic() - began, answer))
                if answer.status != 200:
                    time.sleep(0.05)  # a rejected caller comes again, though sooner than it was told to
    except (OSError, ClosedError) as error:
        load.lost.append(f"{token}: {type(error).__name__}: {error}")


def _told(token: str, seconds: float, answer: Answer) -> Ended:
    code = "" if answer.status == 200 else answer.error["code"]
    return Ended(token, seconds, answer.status, code, answer.header("retry-after"))
