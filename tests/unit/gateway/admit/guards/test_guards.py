"""The lists of guards."""

from nexus.gateway.admit.guards import WHEN_ASKED, WHEN_LED, WHEN_RUN


def test_what_is_checked_again_at_a_run_changes_no_call_twice() -> None:
    guards = (*WHEN_ASKED, *WHEN_LED)
    assert [guard.__name__ for guard in guards if guard not in WHEN_RUN] == ["check_size", "rule_parameters"]
    assert set(WHEN_RUN) <= set(guards)


def test_what_looks_at_the_model_comes_after_the_routes() -> None:
    assert [guard.__name__ for guard in WHEN_LED] == ["check_model", "rule_parameters"]
