"""Which of OpenAI's routes an upstream has, found out by requests that can be no call.

Each route is sent a body that is no JSON, so that no model ever runs for it and nothing is paid: whoever has the route
complains about the body, whoever has not about the path. A path that cannot exist is sent the same, to know how this
upstream complains about paths.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.contract.operations import BY_NAME

Status = Callable[[str], Awaitable[int]]
"""The status of the answer to a POST of `NO_JSON` at a path below the upstream's base URL."""
NO_JSON: Final = b"{"
_NOWHERE: Final = "/nexus-probe-of-no-route"
_ABSENT: Final = (404, 405, 501)
_PASSING: Final = (408, 425, 429, 502, 503, 504)
_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Probed:
    """The operations whose routes are there. Not `certain`: some could not be told this time."""

    operations: tuple[str, ...]
    certain: bool = True


def path_of(operation: str) -> str:
    """The operation's path below an upstream's base URL, which ends with `/v1` itself."""
    return BY_NAME[operation].path.removeprefix("/v1")


async def probe(status: Status, operations: Iterable[str]) -> Probed:
    """Ask for every operation's route. Raises ApiError (502) where the upstream answers all paths alike, or none."""
    names = tuple(operations)
    nowhere = await status(_NOWHERE)
    if nowhere in _PASSING:
        return Probed((), certain=False)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def asked(name: str) -> int:
        async with turns:
            return await status(path_of(name))

    answers = dict(zip(names, await asyncio.gather(*map(asked, names)), strict=True))
    if nowhere not in _ABSENT and set(answers.values()) == {nowhere}:
        message = f"it answers every path with {nowhere}: name its operations in the entry"
        raise ApiError(UPSTREAM_ERROR, message)
    there = tuple(name for name in names if _is_there(answers[name], nowhere))
    return Probed(there, certain=not any(answer in _PASSING for answer in answers.values()))


def _is_there(answer: int, nowhere: int) -> bool:
    return answer not in _ABSENT and answer not in _PASSING and answer != nowhere
