"""Names to addresses, afresh at each look-up: one thread a name, so that a slow name never delays another."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable

Lookup = Callable[[str], tuple[str, ...]]


def look_up(name: str) -> tuple[str, ...]:
    """Every address of a name as the system's resolver gives them, A and AAAA. Blocks; raises OSError."""
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))


class Resolver:
    """Looks names up off the event loop, never the same name twice at a time.

    The threads are daemons and not those of the loop's executor: the system's resolver may hang for half a
    minute, which must neither starve other work of threads nor hold up the end of the process.
    """

    def __init__(self, lookup: Lookup = look_up) -> None:
        self._lookup = lookup
        self._pending: dict[str, asyncio.Future[tuple[str, ...]]] = {}

    async def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses of a name, or the name itself where it is an address. Raises OSError where there are none."""
        if _is_address(name):
            return (name,)
        pending = self._pending.get(name)
        if pending is None:
            pending = self._pending[name] = self._start(name)
        return await asyncio.shield(pending)

    def _start(self, name: str) -> asyncio.Future[tuple[str, ...]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[str, ...]] = loop.create_future()

        def settle(answer: tuple[str, ...], error: OSError | None) -> None:
            self._pending.pop(name, None)
            if future.cancelled():
                return
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)
                future.exception()  # seen, even where all who asked have given up

        def work() -> None:
            answer: tuple[str, ...] = ()
            failure: OSError | None = None
            try:
                answer = self._lookup(name)
            except OSError as error:
                failure = error
            except UnicodeError:
                failure = OSError(f"{name!r} is not a name that can be looked up")
            try:
                loop.call_soon_threadsafe(settle, answer, failure)
            except RuntimeError:
                return  # the loop was closed meanwhile: nobody waits

        threading.Thread(target=work, name=f"resolve {name}", daemon=True).start()
        return future


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
