"""The upstreams: each looked at in its own time, one that is gone telling so without harm to the others."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.contract.operations import BY_NAME
from nexus.sdk.engine import Found, Model
from nexus.sdk.upstream import Upstream
from nexus_openai_compatible.described import Described, read_described
from nexus_openai_compatible.errors import explainer
from nexus_openai_compatible.keys import read_key
from nexus_openai_compatible.listing import Listed, read_listing
from nexus_openai_compatible.probing import NO_JSON, Probed, probe

_LOOK_SECONDS: Final = 4.0
_JSON: Final = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Route:
    """Where calls on one model go: to which upstream, and by which name there."""

    member: "Member"
    name: str


class _AnsweredError(ApiError):
    """An answer that is no success, for who wants its status alone."""

    def __init__(self, status: int, _: bytes) -> None:
        super().__init__(NO_READY_SERVICE, f"answered {status}")
        self.answered = status


class Member:
    """One upstream that can be asked. `operations` are those of the service, to be looked for there."""

    def __init__(self, described: Described, key: str | None, operations: Sequence[str]) -> None:
        self.described = described
        self.key = key
        self.explain = explainer(described.name, key)
        options = described.options
        headers = {**options.headers, **({"authorization": f"Bearer {key}"} if key else {})}
        self.upstream = Upstream(
            options.url,
            headers=headers,
            first_byte=options.first_byte_seconds,
            idle=options.idle_seconds,
            explain=self.explain,
        )
        self._bare = Upstream(options.url, headers=headers, first_byte=_LOOK_SECONDS, explain=_AnsweredError)
        self._operations = tuple(operations)
        self._listed: tuple[Listed, ...] = ()
        self._probed: Probed | None = None
        self._due = 0.0
        self._users = 0
        self._retired = False
        self.outage: ApiError | None = None

    @asynccontextmanager
    async def used(self) -> AsyncIterator[Upstream]:
        """Its API for one call; a call that cannot reach it has it looked at soon."""
        self._users += 1
        try:
            yield self.upstream
        except ApiError as error:
            if error.kind is NO_READY_SERVICE:
                self._due = 0.0
            raise
        finally:
            self._users -= 1
            await self._close_if_left()

    async def retire(self) -> None:
        """Close it once no call uses it any more."""
        self._retired = True
        await self._close_if_left()

    async def close(self) -> None:
        """Let the connections go."""
        await self.upstream.close()
        await self._bare.close()

    async def _close_if_left(self) -> None:
        if self._retired and not self._users:
            await self.close()

    async def look(self, now: float) -> None:
        """Have its models and its routes, if it is time. `outage` says how that went."""
        if now < self._due:
            return
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._look()
        except TimeoutError:
            message = f"{self.described.name} did not tell its models within {_LOOK_SECONDS:g} seconds"
            self.outage = ApiError(NO_READY_SERVICE, message, retry_after=2)
        except ApiError as error:
            self.outage = error
        else:
            self.outage = None
            certain = self._probed is None or self._probed.certain
            self._due = now + (self.described.refresh_seconds if certain else 0.0)

    async def _look(self) -> None:
        listed = await self._listing()
        changed = listed != self._listed or self.outage is not None
        if not self.described.operations and (changed or self._probed is None or not self._probed.certain):
            self._probed = await probe(self._status, self._operations)
        self._listed = listed

    async def _listing(self) -> tuple[Listed, ...]:
        given = self.described.options.models
        if given:
            return tuple(Listed(name) for name in given)
        return read_listing(await self.upstream.get_json("models"))

    async def _status(self, path: str) -> int:
        try:
            async with self._bare.stream("POST", path.lstrip("/"), content=NO_JSON, headers=_JSON) as response:
                return response.status
        except _AnsweredError as answered:
            return answered.answered

    def found(self) -> list[tuple[Found, Route]]:
        """Its models under the names that they have here; while it is gone, the last ones that it had."""
        described, options = self.described, self.described.options
        aliases: dict[str, list[str]] = {}
        for alias, name in options.aliases.items():
            aliases.setdefault(name, []).append(alias)
        reason = self.outage.message if self.outage else ""
        found: list[tuple[Found, Route]] = []
        for listed in self._listed:
            operations = self._operations_of(listed)
            if not operations or not described.offers(listed.name):
                continue
            model = Model(
                id=f"{options.prefix}{listed.name}",
                aliases=tuple(aliases.get(listed.name, ())),
                operations=operations,
                context_length=listed.context_length,
            )
            found.append((Found(model, "failed" if reason else "ready", reason), Route(self, listed.name)))
        return found

    def _operations_of(self, listed: Listed) -> tuple[str, ...]:
        here = self.described.operations or (self._probed.operations if self._probed else ())
        own = tuple(name for name in here if listed.operations is None or name in listed.operations)
        return self.described.narrowed(listed.name, own)


class Upstreams:
    """All upstreams that the entries describe; `environ` is where keys are read."""

    def __init__(self, environ: Mapping[str, str], operations: Sequence[str]) -> None:
        self._environ = environ
        self._operations = tuple(name for name in operations if name in BY_NAME)
        self._members: dict[str, Member] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self.routes: dict[str, Route] = {}

    async def close(self) -> None:
        """Let all connections go."""
        await asyncio.gather(*(member.close() for member in self._members.values()), *self._leaving)

    async def look(self, wanted: Sequence[Model], now: float) -> list[Found]:
        """What all of them have. Raises ApiError (503) where none can be asked."""
        problems = self._adapt(wanted)
        members = list(self._members.values())
        await asyncio.gather(*(member.look(now) for member in members))
        found = [Found(model, "failed", reason) for model, reason in problems]
        routes: dict[str, Route] = {}
        for member in members:
            offered = member.found()
            for one, route in offered:
                routes.setdefault(one.model.id, route)
                found.append(one)
            if member.outage and not offered:
                found.append(Found(Model(id=member.described.name), "failed", member.outage.message))
        self.routes = routes
        if members and all(member.outage for member in members):
            raise _all_gone(members)
        if not wanted:
            raise ApiError(NO_READY_SERVICE, "no upstream is described: put an entry for one into the models folder")
        return found

    def direct_url(self) -> str | None:
        """Where a gateway may go by itself: the only upstream, if it may be asked without this service."""
        members = list(self._members.values())
        return members[0].described.direct_url if len(members) == 1 else None

    def _adapt(self, wanted: Sequence[Model]) -> list[tuple[Model, str]]:
        """Have one member for each entry, a new one where the entry or its key has changed; what cannot be one."""
        problems: list[tuple[Model, str]] = []
        members: dict[str, Member] = {}
        for model in wanted:
            try:
                described = read_described(model)
                key = read_key(described.options, self._environ)
            except ValueError as error:
                problems.append((replace(model, aliases=(), operations=()), str(error)))
                continue
            member = self._members.get(model.id)
            same = member is not None and (member.described, member.key) == (described, key)
            members[model.id] = member if member is not None and same else Member(described, key, self._operations)
        for name, member in self._members.items():
            if members.get(name) is not member:
                self._leave(member)
        self._members = members
        return problems

    def _leave(self, member: Member) -> None:
        task = asyncio.create_task(member.retire())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _all_gone(members: Sequence[Member]) -> ApiError:
    reasons = "; ".join(f"{member.described.name}: {member.outage}" for member in members)
    return ApiError(NO_READY_SERVICE, f"no upstream can be asked: {reasons}", retry_after=2)
