"""What tests suppose of a call is what rules may ask of one."""

from nexus.policies.routing.asked import Asked
from tests.unit.policies.routing.supposition import Supposition


def test_a_supposition_is_something_that_rules_can_be_asked_about() -> None:
    asked: Asked = Supposition()
    assert {name for name in vars(Asked) if not name.startswith("_")} <= set(dir(asked))
