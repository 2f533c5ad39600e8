"""What the engine behind a service has: asked for within a bound, and sifted before it goes on the roster."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from nexus.contract.errors import NO_READY_SERVICE, UPSTREAM_ERROR, ApiError
from nexus.sdk.engine import Engine, Found, Model

LOOK_SECONDS: Final = 5.0
MOST_MODELS: Final = 2048  # as many as a card can hold
_ID: Final = re.compile(r"[^\s\x00-\x1f\x7f]{1,256}")
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sight:
    """What the engine has: the models that can be offered, each name once, and by name why others cannot."""

    found: tuple[Found, ...]
    refused: Mapping[str, str]


async def ask(engine: Engine, wanted: Sequence[Model], operations: tuple[str, ...]) -> Sight | None:
    """What the engine has now, None where it leaves that to the entries. Raises ApiError within LOOK_SECONDS."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            found = await engine.discover(wanted)
        return None if found is None else sift(found, operations)
    except TimeoutError as error:
        message = f"the engine did not tell its models within {LOOK_SECONDS:g} seconds"
        raise ApiError(NO_READY_SERVICE, message, retry_after=2) from error
    except ApiError:
        raise
    except Exception as error:  # an answer of the engine's that its adapter does not bear with is an outage, no end
        _log.exception("the engine's models cannot be told")
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise ApiError(UPSTREAM_ERROR, f"the engine's models cannot be told: {reason}", retry_after=2) from error


def sift(found: Sequence[Found], operations: tuple[str, ...]) -> Sight:
    """The models that can be on a card of these operations. The first of a name has it; an id goes before an alias."""
    kept: dict[str, Found] = {}
    refused: dict[str, str] = {}
    for one in found:
        reason = _objection(one.model, kept, operations)
        if reason:
            refused[one.model.id[:256]] = reason
        else:
            kept[one.model.id] = one
    taken = set(kept)
    offered = []
    for one in kept.values():
        aliases = tuple(dict.fromkeys(name for name in one.model.aliases if name not in taken and _ID.fullmatch(name)))
        taken.update(aliases)
        offered.append(replace(one, model=replace(one.model, aliases=aliases)))
    return Sight(tuple(offered), refused)


def _objection(model: Model, kept: Mapping[str, Found], operations: tuple[str, ...]) -> str:
    if not _ID.fullmatch(model.id):
        return "this is no name of a model: 1 to 256 characters without blanks"
    if model.id in kept:
        return "the engine tells it twice"
    if model.operations and not any(name in operations for name in model.operations):
        return f"the service has none of {', '.join(model.operations)}"
    return f"there are more than {MOST_MODELS} models" if len(kept) == MOST_MODELS else ""
