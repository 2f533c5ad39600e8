"""The lists of guards."""

from nexus.gateway.admit.guards import WHEN_ASKED, WHEN_RUN


def test_what_is_checked_again_at_a_run_changes_no_call_twice() -> None:
    assert [guard.__name__ for guard in WHEN_ASKED if guard not in WHEN_RUN] == ["check_size", "rule_parameters"]
    assert set(WHEN_RUN) <= set(WHEN_ASKED)
