"""At most so many calls at once; every slot comes back."""

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.admit.slots import Slots
from nexus.gateway.relay.result import Relayed
from tests.servers.calls import make_call, make_request


def test_slots_are_handed_out_up_to_the_limit_and_come_back() -> None:
    slots = Slots(2)
    one, two = slots.admit(make_call()), slots.admit(make_call())
    assert slots.taken == 2
    with pytest.raises(ApiError) as caught:
        slots.admit(make_call())
    assert (caught.value.status, caught.value.code) == (503, "overloaded")
    assert caught.value.headers() == {"retry-after": "1"}
    assert "chat.completions" in caught.value.message
    assert slots.taken == 2
    one.release(make_request(), Relayed())
    three = slots.admit(make_call())
    two.release(make_request(), Relayed())
    three.release(make_request(), Relayed())
    assert slots.taken == 0


def test_each_gateway_counts_its_own() -> None:
    one, other = Slots(1), Slots(1)
    one.admit(make_call())
    assert other.taken == 0


def test_a_place_that_no_call_took_is_given_back() -> None:
    slots = Slots(1)
    slots.admit(make_call()).give_back()
    assert slots.taken == 0
