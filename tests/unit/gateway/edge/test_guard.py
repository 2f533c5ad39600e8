"""The guard alone, and on the lane: by the peer's address, and again for heads that are known."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.allowlist import CLOSED, Allowlist
from nexus.gateway.edge.auth import digest
from nexus.gateway.edge.guard import Guard
from nexus.policies.networks import parse_network
from nexus.policies.token import Token
from tests.servers.raw import request as make

CHAT = "/v1/chat/completions"
LOCAL = ("127.0.0.1", 5)
Serve = Callable[..., Awaitable[Any]]


def only(*networks: str, path: str = CHAT) -> Allowlist:
    return Allowlist({path: tuple(map(parse_network, networks))})


def refusal(guard: Guard, path: str, peer: tuple[str, int] | None, headers: Mapping[bytes, bytes] | None = None) -> str:
    fields = dict(headers or {})
    with pytest.raises(ApiError) as caught:
        guard.check(path, peer, fields.items(), fields)
    assert (caught.value.status, caught.value.code) == (403, "permission_denied")
    return str(caught.value)


def test_an_address_that_is_not_in_the_list_is_refused_and_told() -> None:
    guard = Guard(Allowlist(CLOSED))
    guard.check("/v1/admin/x", LOCAL, (), {})
    guard.check("/v1/models", ("192.0.2.1", 5), (), {})
    guard.check("/v1/models", None, (), {})
    guard.check("/metrics", ("::ffff:127.0.0.1", 5), (), {})
    assert "192.0.2.1" in refusal(guard, "/v1/admin/x", ("192.0.2.1", 5))
    assert "not known" in refusal(guard, "/v1/admin/x", None)
    assert "not known" in refusal(guard, "/v1/admin/x", LOCAL, {b"x-forwarded-for": b"127.0.0.1"})


def test_a_web_page_is_refused_only_where_no_token_is_asked_for() -> None:
    fields = {b"host": b"evil.example"}
    Guard(Allowlist({})).check("/v1/models", LOCAL, (), fields)
    assert "Host" in refusal(Guard(Allowlist({}), keep_pages_off=True), "/v1/models", LOCAL, fields)


@pytest.mark.parametrize("known", [False, True], ids=["first head", "known head"])
async def test_the_lane_is_closed_by_an_edit_and_opened_by_another(serve: Serve, known: bool) -> None:
    served = await serve()
    connection = await served.connect()
    statuses = []
    for networks in (["127.0.0.1"], ["192.0.2.0/24"], ["127.0.0.0/8"]):
        served.guard.allowlist = only(*networks)
        served.keyring.hold([Token(digest("sk-test"), "administrator")])
        for _ in range(1 + 3 * known):
            connection.send(make(CHAT, b"{}", token="sk-test"))
            answer = await connection.answer()
        statuses.append(answer.status)
    assert statuses == [200, 403, 200]
    assert served.recorded[0].error == "permission_denied"
    assert served.recorded[0].token == ""  # it was not looked at


async def test_a_refusal_comes_before_the_token_is_looked_at(serve: Serve) -> None:
    connection = await (await serve(guard=Guard(only()))).connect()
    for token in (None, "sk-wrong", "sk-test"):
        connection.send(make(CHAT, b"{}", token=token))
        answer = await connection.answer()
        assert (answer.status, answer.error["code"]) == (403, "permission_denied")


async def test_the_address_belongs_to_the_head_where_a_proxy_says_it(serve: Serve) -> None:
    """One connection of a proxy carries requests of several clients."""
    guard = Guard(only("192.0.2.0/24"), (parse_network("127.0.0.1"),))
    connection = await (await serve(guard=guard)).connect()
    for client, status in [("192.0.2.1", 200), ("192.0.2.1", 200), ("203.0.113.9", 403), ("192.0.2.1", 200), ("", 403)]:
        connection.send(make(CHAT, b"{}", token="sk-test", headers={"x-forwarded-for": client}))
        assert (await connection.answer()).status == status
    lines = b"x-forwarded-for: 203.0.113.9\r\nx-forwarded-for: 192.0.2.1\r\n"
    connection.send(make(CHAT, b"{}", token="sk-test").replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n", 1))
    assert (await connection.answer()).status == 200


async def test_without_authentication_no_page_drives_the_lane(serve: Serve) -> None:
    served = await serve(guard=Guard(Allowlist({}), keep_pages_off=True))
    connection = await served.connect()
    for headers in ({"host": "evil.example"}, {"host": "localhost", "origin": "http://evil.example"}):
        connection.send(make(CHAT, b"{}", token="sk-test", headers=headers))
        answer = await connection.answer()
        assert (answer.status, answer.error["code"]) == (403, "permission_denied")
    connection.send(
        make(CHAT, b"{}", token="sk-test", headers={"host": "localhost", "origin": "http://localhost:3000"})
    )
    assert (await connection.answer()).status == 200
    assert len(served.told) == 1
