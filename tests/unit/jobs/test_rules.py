"""The bounds that hold where nobody sets others."""

from nexus.jobs.rules import JobRules


def test_a_job_outlives_a_day_but_not_for_ever() -> None:
    rules = JobRules()
    assert rules.timeout < rules.keep <= rules.max_wait
    assert rules.max_attempts > 1
