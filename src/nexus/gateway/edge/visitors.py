"""Who is signed in: a browser's session is known by the SHA-256 of what its cookie holds, as a token is.

A cookie is sent by whatever page asks for it to be sent, so that what comes with one has to prove that it was a page of
the gateway's own origin. On the lane that holds for every request, GET too: a page of a service, shown under the
gateway's origin, could do whatever its user can.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from nexus.contract.errors import INVALID_API_KEY, PERMISSION_DENIED, ApiError
from nexus.contract.roles import VIEWER, Role
from nexus.gateway.edge.auth import Keyring, digest
from nexus.gateway.users.cookies import Cookies, check_csrf, check_origin
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer


@dataclass(frozen=True, slots=True)
class Session:
    """One that is let in until `expires` (Unix seconds), as `name` (the bearer's), who is `user` (an id)."""

    digest: bytes
    user: str
    name: str
    role: Role
    policy: Policy | None
    expires: float


class Visitors:
    """The sessions that are let in. `seen` is told when each was used last, by its digest (Unix seconds)."""

    def __init__(
        self, cookies: Cookies, keyring: Keyring, public_url: str | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self.cookies = cookies
        self.seen: dict[bytes, float] = {}
        self._keyring = keyring
        self._public_url = public_url
        self._now = now
        self._sessions: dict[bytes, Session] = {}

    def hold(self, sessions: Iterable[Session]) -> None:
        """Let in these, and no others, from now on."""
        self._sessions = {session.digest: session for session in sessions}

    def find(self, session: str) -> Session | None:
        """The session of which a cookie holds the id."""
        found = self._sessions.get(digest(session))
        return found if found is not None and found.expires > self._now() else None

    def check_origin(self, fields: Mapping[bytes, bytes]) -> None:
        """Raises ApiError (403) for what a page of another origin sends."""
        check_origin(fields, self._public_url)

    def check(self, session: str, fields: Mapping[bytes, bytes], *, proven: bool) -> Bearer:
        """Who comes with a session; where `proven`, only with what its pages alone can send.

        `fields` are the headers, their names in lower case. Raises ApiError (401, 403).
        """
        found = self.find(session)
        if found is None:
            raise ApiError(INVALID_API_KEY, "The session has ended, or never was: sign in.", code="session_ended")
        if proven:
            self.check_origin(fields)
            check_csrf(session, fields)
        self.seen[found.digest] = self._now()
        if found.role == VIEWER:
            return Bearer(found.name, found.policy, role=VIEWER)
        return replace(self._keyring.bearer(found.name), role=found.role)

    def check_asking(self, fields: Mapping[bytes, bytes]) -> Bearer | None:
        """Who asks for an operation, None where there is no session's cookie. Raises ApiError (401, 403)."""
        session = self.cookies.session(fields.get(b"cookie"))
        if session is None:
            return None
        bearer = self.check(session, fields, proven=True)
        if bearer.role == VIEWER:
            raise ApiError(PERMISSION_DENIED, "A viewer may look at lists, and ask for nothing.")
        return bearer
