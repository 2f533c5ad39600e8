from dataclasses import replace

import pytest

from nexus.contract.card import Card
from nexus.gateway.registry.findings import Answered, Broken, Unanswered, decide, listed, refused, relisted
from nexus.gateway.registry.snapshot import Instance, State
from nexus.gateway.registry.sources.listing import Listing

CARD = Card.model_validate(
    {"schema_version": "v1", "service": {"name": "tts"}, "capabilities": {"operations": ["audio.speech"]}}
)
PLAIN = Listing("http://tts:8000", "static")
PROMISED = replace(PLAIN, source="stack", card=CARD.model_copy())


def with_base_url(url: str) -> Card:
    return CARD.model_copy(update={"backend": CARD.backend.model_copy(update={"base_url": url})})


def test_a_listed_instance_is_unknown() -> None:
    instance = listed(PLAIN)
    assert (instance.state, instance.card, instance.data_url) == (State.UNKNOWN, None, "http://tts:8000")
    assert instance.service == "tts:8000"
    assert listed(PROMISED).service == "tts"


def test_a_good_answer_makes_it_ready_and_clears_the_reason() -> None:
    instance = decide(listed(PLAIN), Answered(CARD, ready=True), PLAIN)
    assert instance == Instance(PLAIN.url, "static", State.READY, CARD, "", PLAIN.url)


def test_nothing_new_leaves_the_very_same_instance() -> None:
    ready = decide(listed(PLAIN), Answered(CARD, ready=True), PLAIN)
    assert decide(ready, Answered(CARD, ready=True), PLAIN) is ready
    gone = decide(ready, Unanswered("refused"), PLAIN)
    assert decide(gone, Unanswered("refused"), PLAIN) is gone


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (Answered(CARD, ready=False, waiting_for="loading"), State.STARTING),
        (Broken("not a card"), State.INVALID),
        (Unanswered("refused"), State.UNREACHABLE),
    ],
)
def test_one_bad_probe_makes_a_ready_instance_unready(finding: Answered | Broken | Unanswered, state: State) -> None:
    ready = decide(listed(PLAIN), Answered(CARD, ready=True), PLAIN)
    after = decide(ready, finding, PLAIN)
    assert after.state is state
    assert after.reason
    assert after.card is CARD  # its models are still known: they are waited for, not unknown


def test_silence_of_a_promised_service_means_that_it_is_being_started() -> None:
    starting = decide(listed(PROMISED), Unanswered("the connection was refused"), PROMISED)
    assert (starting.state, starting.service) == (State.STARTING, "tts")
    assert decide(starting, Unanswered("the connection was refused"), PROMISED) is starting


def test_silence_of_one_that_has_answered_before_means_that_it_is_gone() -> None:
    loading = decide(listed(PROMISED), Answered(CARD, ready=False, waiting_for="loading"), PROMISED)
    assert decide(loading, Unanswered("refused"), PROMISED).state is State.UNREACHABLE
    broken = decide(listed(PROMISED), Broken("x"), PROMISED)
    assert decide(broken, Unanswered("refused"), PROMISED).state is State.UNREACHABLE
    assert decide(listed(PLAIN), Unanswered("refused"), PLAIN).state is State.UNREACHABLE


def test_a_new_card_takes_the_place_of_the_old_one() -> None:
    ready = decide(listed(PLAIN), Answered(CARD, ready=True), PLAIN)
    other = with_base_url("http://TTS:9000/engine/")
    changed = decide(ready, Answered(other, ready=True), PLAIN)
    assert (changed.card, changed.data_url) == (other, "http://tts:9000/engine")
    assert decide(changed, Answered(CARD, ready=True), PLAIN).data_url == PLAIN.url


@pytest.mark.parametrize("base_url", ["nonsense", "ftp://tts", "http://:hidden@tts:9000"])
def test_a_card_that_leads_nowhere_is_invalid(base_url: str) -> None:
    instance = decide(listed(PLAIN), Answered(with_base_url(base_url), ready=True), PLAIN)
    assert instance.state is State.INVALID
    assert instance.reason.startswith("backend.base_url: ")
    assert "hidden" not in instance.reason


def test_credentials_go_to_the_listed_host_only() -> None:
    listing = replace(PLAIN, authorization="Bearer t")
    near = decide(listed(listing), Answered(with_base_url("http://tts:9000"), ready=True), listing)
    far = decide(listed(listing), Answered(with_base_url("http://elsewhere:9000"), ready=True), listing)
    assert (near.authorization, far.authorization) == ("Bearer t", None)
    assert near.own_authorization == far.own_authorization == "Bearer t"  # what the service itself is asked with
    renewed = relisted(far, listing, replace(listing, authorization="Bearer new"))
    assert renewed.own_authorization == "Bearer new"


def test_a_refused_request_makes_it_unreachable() -> None:
    ready = decide(listed(PLAIN), Answered(CARD, ready=True), PLAIN)
    assert refused(ready, "no").state is State.UNREACHABLE


def test_a_new_promise_takes_the_place_of_the_old_one_but_not_of_what_the_service_said() -> None:
    anew = replace(PROMISED, card=with_base_url("http://x"))
    assert relisted(listed(PROMISED), PROMISED, anew).card is anew.card
    ready = decide(listed(PROMISED), Answered(CARD, ready=True), PROMISED)
    assert relisted(ready, PROMISED, anew).card is CARD
