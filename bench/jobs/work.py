"""Ten jobs that are kept going: asked for as a client asks, renewed when one ends, called off at a round's end."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

ENDED: Final = frozenset({"completed", "failed", "cancelled"})
_LIMIT_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Wish:
    """One kind of job: `json`, or `form` with `files`."""

    kind: str
    path: str
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    def ask(self, http: httpx.Client) -> str:
        """Ask for it as a job; its id. Raises JobError and httpx's errors."""
        if self.json is not None:
            answer = http.post(self.path, json={**self.json, "background": True})
        else:
            answer = http.post(self.path, data={**self.form, "background": "true"}, files=dict(self.files))
        if answer.status_code not in (200, 202):
            raise JobError(f"{self.kind} was refused: {answer.status_code} {answer.text[:300]}")
        return str(answer.json()["id"])


class JobError(RuntimeError):
    """A job was refused, failed, or did not get where it should in time."""


class Crowd:
    """So many jobs as there are wishes, queued or running. `ended` counts by kind what was done."""

    def __init__(self, http: httpx.Client, wishes: Sequence[Wish]) -> None:
        self.ended: Counter[str] = Counter()
        self._http = http
        self._wishes = wishes
        self._jobs: dict[str, Wish] = {}

    def gather(self) -> None:
        """Ask for all, and wait until at least one of every kind runs, or has run already."""
        for wish in self._wishes:
            self._jobs[wish.ask(self._http)] = wish
        kinds, seen = {wish.kind for wish in self._wishes}, set[str]()

        def all_seen() -> bool:
            for identity, job in self._look().items():
                if job["status"] != "queued":
                    seen.add(self._jobs[identity].kind)
            return seen >= kinds

        _until(all_seen, "not every kind of job has begun")

    def renew(self) -> int:
        """Ask anew for those that have ended; how many run right now. Raises JobError where one failed."""
        running = 0
        for identity, job in self._look().items():
            if job["status"] in ENDED:
                wish = self._jobs.pop(identity)
                if job["status"] != "completed":
                    raise JobError(f"{wish.kind} is {job['status']}: {job['error']}")
                self.ended[wish.kind] += 1
                self._http.delete(f"/v1/jobs/{identity}")
                self._jobs[wish.ask(self._http)] = wish
            running += job["status"] == "in_progress"
        return running

    def disperse(self) -> None:
        """Call all of them off, and wait until no engine works on one any more."""
        for identity in self._jobs:
            self._http.post(f"/v1/jobs/{identity}/cancel")
        _until(self._is_idle, "engines go on working for jobs that were called off")
        for identity in self._jobs:
            self._http.delete(f"/v1/jobs/{identity}")
        self._jobs.clear()

    def _look(self) -> dict[str, dict[str, Any]]:
        jobs = self._http.get("/v1/jobs", params={"limit": 100}).json()["data"]
        return {job["id"]: job for job in jobs if job["id"] in self._jobs}

    def _is_idle(self) -> bool:
        services = self._http.get("/v1/services").json()["data"]
        return not any(instance["in_flight"] for service in services for instance in service["instances"])


def finish(http: httpx.Client, wish: Wish) -> bytes:
    """Have one job done to its end; its result. Loads what is loaded by a first call. Raises JobError."""
    identity = wish.ask(http)
    job: dict[str, Any] = {}

    def over() -> bool:
        job.update(http.get(f"/v1/jobs/{identity}").json())
        return job["status"] in ENDED

    _until(over, f"{wish.kind} does not end")
    if job["status"] != "completed":
        raise JobError(f"{wish.kind} is {job['status']}: {job['error']}")
    result = http.get(job["result"]["url"]).content
    http.delete(f"/v1/jobs/{identity}")
    return result


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _LIMIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise JobError(f"{what} after {_LIMIT_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)
