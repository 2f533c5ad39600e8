import json

import pytest

from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.findings import Answered, Broken, Unanswered
from nexus.gateway.registry.prober import Prober
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.sources.listing import Listing
from tests.servers.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def prober(clock: Clock) -> Prober:
    return Prober(Fetcher(Resolver()), timeout=0.5, card_interval=5, own_instance="me", clock=clock)


async def test_a_ready_service_answers_with_its_card(prober, start_service) -> None:
    service = await start_service()
    finding = await prober.probe(Listing(service.url, "static"))
    assert isinstance(finding, Answered)
    assert finding.ready
    assert finding.card.service.name == "tts"


async def test_the_card_is_read_when_due_or_when_the_readiness_turns(prober, start_service, clock) -> None:
    service = await start_service()
    listing = Listing(service.url, "static")
    first = await prober.probe(listing)
    again = await prober.probe(listing)
    assert service.asked == {"/health": 2, "/readyz": 2, "/v1/metadata": 1}
    assert again == first
    clock.now += 5
    due = await prober.probe(listing)
    assert service.asked["/v1/metadata"] == 2
    assert due.card is first.card  # the same bytes are not parsed again
    service.pages["/readyz"] = (503, b'{"status":"loading"}')
    turned = await prober.probe(listing)
    assert service.asked["/v1/metadata"] == 3
    assert (turned.ready, turned.waiting_for) == (False, "loading")


async def test_a_changed_card_is_seen(prober, start_service, clock, card) -> None:
    service = await start_service()
    await prober.probe(Listing(service.url, "static"))
    service.describe(card(models=[{"id": "other"}]))
    clock.now += 5
    finding = await prober.probe(Listing(service.url, "static"))
    assert finding.card.models[0].id == "other"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"status":"loading","reason":"model\\n a"}', "model a"),
        (b'{"error":{"message":"busy"}}', "busy"),
        (b'{"error":"broken"}', "broken"),
        (b"<html>", "/readyz answered 503"),
        (b"{}", "/readyz answered 503"),
        (b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "/readyz answered 503"),
    ],
)
async def test_the_reason_for_not_being_ready_is_the_services_own(prober, start_service, body, reason) -> None:
    service = await start_service()
    service.pages["/readyz"] = (503, body)
    finding = await prober.probe(Listing(service.url, "static"))
    assert isinstance(finding, Answered)
    assert (finding.ready, finding.waiting_for) == (False, reason)


async def test_a_sick_service_is_not_ready(prober, start_service) -> None:
    service = await start_service()
    service.pages["/health"] = (500, b"")
    finding = await prober.probe(Listing(service.url, "static"))
    assert isinstance(finding, Answered)
    assert finding.waiting_for == "/health answered 500"


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/health", 404, "/health answered 404, not 200"),
        ("/health", 302, "/health answered 302, not 200"),
        ("/readyz", 404, "/readyz answered 404, neither 200 nor 503"),
        ("/v1/metadata", 404, "/v1/metadata answered 404, not 200"),
        ("/v1/metadata", 301, "/v1/metadata answered 301, not 200"),
    ],
)
async def test_what_is_no_service_is_broken(prober, start_service, path: str, status: int, reason: str) -> None:
    service = await start_service()
    service.pages[path] = (status, b"")
    assert await prober.probe(Listing(service.url, "static")) == Broken(reason)


@pytest.mark.parametrize(
    "body",
    [
        b"<html></html>",
        b"[]",
        b"{}",
        b'{"schema_version":"v2","service":{"name":"a"}}',
        b'{"schema_version":"v1","service":{"name":5},"capabilities":{"operations":["ocr"]}}',
        b'{"schema_version":"v1","service":{"name":"a"}}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"schema_version":"v1","service":{"name":"a"},"capabilities":{"operations":["ocr"]},"models":['
        + b",".join([b'{"id":"a"}'] * 50_000)
        + b"]}",
    ],
    ids=range(9),
)
async def test_bytes_that_are_no_card_are_told_and_not_read_twice(prober, start_service, body) -> None:
    service = await start_service()
    service.pages["/v1/metadata"] = (200, body)
    first = await prober.probe(Listing(service.url, "static"))
    assert isinstance(first, Broken)
    assert first.reason.startswith("/v1/metadata is not a card: ")
    assert "\n" not in first.reason
    assert await prober.probe(Listing(service.url, "static")) == first


async def test_a_card_that_became_a_good_one_is_taken_at_the_next_probe(prober, start_service, card) -> None:
    service = await start_service()
    service.pages["/v1/metadata"] = (200, b"no card")
    assert isinstance(await prober.probe(Listing(service.url, "static")), Broken)
    service.describe(card())
    assert isinstance(await prober.probe(Listing(service.url, "static")), Answered)


async def test_the_gateway_does_not_route_to_itself(prober, start_service, card) -> None:
    service = await start_service(card(instance="me"))
    finding = await prober.probe(Listing(service.url, "static"))
    assert finding == Broken("/v1/metadata is not a card: it is the one of this gateway itself")


@pytest.mark.parametrize("kind", ["mute", "drip", "slam"])
async def test_what_does_not_answer_in_time_is_silent(prober, start_hostile, hostile, kind: str) -> None:
    url = await start_hostile(getattr(hostile, kind))
    assert isinstance(await prober.probe(Listing(url, "static")), Unanswered)


@pytest.mark.parametrize("kind", ["endless_head", "huge", "cut", "other_protocol"])
async def test_what_answers_nonsense_is_broken(prober, start_hostile, hostile, kind: str) -> None:
    url = await start_hostile(getattr(hostile, kind))
    finding = await prober.probe(Listing(url, "static"))
    assert isinstance(finding, Broken)
    assert finding.reason.startswith("/health: ")


async def test_a_hundred_megabytes_of_card_are_not_read(prober, start_hostile, hostile) -> None:
    url = await start_hostile(
        hostile.with_card(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n" + b" " * 70_000)
    )
    assert await prober.probe(Listing(url, "static")) == Broken("/v1/metadata: the answer is larger than 1048576 bytes")


async def test_credentials_are_sent(prober, start_service) -> None:
    service = await start_service()
    await prober.probe(Listing(service.url, "static", authorization="Bearer t"))
    assert all("authorization: Bearer t" in head for head in service.headers)
    assert len(service.headers) == 3


async def test_unknown_fields_of_a_card_are_kept(prober, start_service, card) -> None:
    service = await start_service(card(vendor_extension={"a": [1, 2.5, None]}))
    finding = await prober.probe(Listing(service.url, "static"))
    assert json.loads(finding.card.model_dump_json())["vendor_extension"] == {"a": [1, 2.5, None]}


async def test_a_card_that_is_said_to_have_changed_is_read_by_the_next_probe(prober, start_service) -> None:
    service = await start_service()
    listing = Listing(service.url, "static")
    await prober.probe(listing)
    prober.distrust_card()
    await prober.probe(listing)
    await prober.probe(listing)
    assert service.asked["/v1/metadata"] == 2
