"""What the database says of users, as keyring and visitors are to hold it. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from nexus.contract.roles import VIEWER
from nexus.gateway.edge.visitors import Session
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from nexus.store.rows import KeptSession, KeptToken, KeptUser

PolicyOf = Callable[[str], Policy | None]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read last. Users and sessions are none where users are off."""

    tokens: tuple[KeptToken, ...] = ()
    users: tuple[KeptUser, ...] = ()
    sessions: tuple[KeptSession, ...] = ()

    def asking(self) -> Mapping[str, KeptUser]:
        """Those who may ask for something, by id."""
        return {user.id: user for user in self.users if not user.disabled and user.role != VIEWER}


def users_held(kept: Kept, policy_of: PolicyOf) -> dict[str, Policy | None]:
    """The policies of those who may ask, by the name that all of theirs goes by."""
    return {user.bearer: policy_of(user.policy) for user in kept.asking().values()}


def tokens_held(kept: Kept, names: Iterable[str], policy_of: PolicyOf) -> list[Token]:
    """The tokens that are let in, but for those that go by one of `names`, and those whose user may not ask."""
    taken, asking = set(names), kept.asking()
    tokens = []
    for token in kept.tokens:
        user = None if token.user is None else asking.get(token.user)
        if user is not None:
            tokens.append(Token(token.digest, user.bearer, policy_of(user.policy), token.expires_at))
        elif token.user is None and token.name not in taken:
            tokens.append(Token(token.digest, token.name, policy_of(token.policy), token.expires_at))
    return tokens


def sessions_held(kept: Kept, idle: float, policy_of: PolicyOf) -> list[Session]:
    """The sessions of those who may sign in; each ends `idle` seconds after it was used last, as far as is written."""
    users = {user.id: user for user in kept.users if not user.disabled}
    sessions = []
    for one in kept.sessions:
        user = users.get(one.user)
        if user is not None:
            until = min(one.expires_at, one.seen_at + idle)
            sessions.append(Session(one.digest, user.id, user.bearer, user.role, policy_of(user.policy), until))
    return sessions


def sessions_due(kept: Kept, seen: Mapping[bytes, float], idle: float) -> dict[bytes, float]:
    """Of which the last use is to be written: an eighth of the idle time is not worth a change for all gateways."""
    return {
        one.digest: seen[one.digest]
        for one in kept.sessions
        if one.digest in seen and seen[one.digest] - one.seen_at >= idle / 8
    }
