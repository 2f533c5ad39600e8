"""The list of checks, in the order in which they are made, and making them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from nexus.sdk.conformance import answers, cards, probes, refusals
from nexus.sdk.conformance.target import CheckFailedError, CheckSkippedError, Target

Status = Literal["pass", "fail", "skip"]
POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a service is held to: what holds, and why it matters, as its function's docstring says."""

    run: Callable[[Target], None]

    @property
    def name(self) -> str:
        return self.run.__name__.replace("_", "-")

    @property
    def holds(self) -> str:
        return (self.run.__doc__ or "").partition("\n")[0]

    @property
    def why(self) -> str:
        return " ".join((self.run.__doc__ or "").partition("Why:")[2].split())


@dataclass(frozen=True, slots=True)
class Result:
    """How one check went; `reason` says why it failed or was skipped."""

    check: Check
    status: Status
    reason: str = ""
    seconds: float = 0.0


CHECKS: Final = (
    Check(probes.health),
    Check(probes.readyz),
    Check(cards.card_valid),
    Check(cards.card_small_and_fast),
    Check(cards.card_steady),
    Check(cards.schemas_sound),
    Check(cards.models_consistent),
    Check(cards.models_listed),
    Check(cards.tools_sound),
    Check(answers.endpoints_exist),
    Check(refusals.unknown_path),
    Check(refusals.wrong_method),
    Check(refusals.bad_json),
    Check(refusals.wrong_content_type),
    Check(refusals.unknown_model),
    Check(refusals.oversize),
    Check(probes.request_id),
    Check(answers.samples_succeed),
    Check(answers.streams_end),
    Check(answers.leavers_free_their_places),
    Check(probes.metrics),
)


def run_checks(url: str, wait_seconds: float = 60, checks: Iterable[Check] = CHECKS) -> list[Result]:
    """Hold the service at `url` to every check, once it is ready (or `wait_seconds` have passed)."""
    target = Target(url)
    try:
        wait_until_ready(target, wait_seconds)
        return [_made(check, target) for check in checks]
    finally:
        target.close()


def wait_until_ready(target: Target, seconds: float) -> bool:
    """Wait until `/readyz` is 200, at most so long; whether it is."""
    deadline = time.monotonic() + seconds
    while not (ready := target.ready) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return ready


def _made(check: Check, target: Target) -> Result:
    started = time.perf_counter()
    try:
        check.run(target)
    except CheckFailedError as failed:
        return Result(check, "fail", str(failed), time.perf_counter() - started)
    except CheckSkippedError as skipped:
        return Result(check, "skip", str(skipped), time.perf_counter() - started)
    return Result(check, "pass", "", time.perf_counter() - started)
