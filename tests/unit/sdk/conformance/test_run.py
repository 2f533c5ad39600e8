"""The list of checks is complete, each says what it holds and why, and is made in turn."""

from nexus.sdk.conformance import answers, cards, probes, refusals
from nexus.sdk.conformance.run import CHECKS, Check, run_checks
from nexus.sdk.conformance.target import Target, fail, skip


def test_every_check_is_in_the_list_once_and_says_what_it_holds_and_why() -> None:
    written = {
        value
        for module in (answers, cards, probes, refusals)
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__ and "Why:" in (value.__doc__ or "")
    }
    assert {check.run for check in CHECKS} == written
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert check.holds.endswith(".")
        assert check.why.endswith(".")


def test_a_check_passes_fails_or_is_skipped() -> None:
    def passes(target: Target) -> None:
        """It holds.

        Why: it
        matters.
        """

    def fails(target: Target) -> None:
        fail("it does not hold")

    def skips(target: Target) -> None:
        skip("it does not apply")

    checks = [Check(passes), Check(fails), Check(skips)]
    results = run_checks("http://127.0.0.1:9", 0, checks)
    assert [(result.check.name, result.status, result.reason) for result in results] == [
        ("passes", "pass", ""),
        ("fails", "fail", "it does not hold"),
        ("skips", "skip", "it does not apply"),
    ]
    assert (checks[0].holds, checks[0].why) == ("It holds.", "it matters.")


def test_nobody_there_is_a_failure_not_a_crash() -> None:
    results = run_checks("http://127.0.0.1:9", 0)
    assert {result.status for result in results} <= {"fail", "skip"}
    assert results[0].reason.startswith("GET /health: no answer")
