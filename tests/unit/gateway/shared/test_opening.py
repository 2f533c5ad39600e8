"""A link that works, or why there is none."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

from nexus.gateway.shared import opening
from nexus.gateway.shared.address import RedisAddress, parse_redis_url
from nexus.gateway.shared.errors import RedisError
from nexus.gateway.shared.link import AskedOutside
from nexus.gateway.shared.opening import open_link
from nexus.gateway.shared.resp import command
from nexus.gateway.shared.scripts import load_scripts
from tests.servers.gateway import free_port
from tests.servers.redis import Redis

SCRIPTS = load_scripts()
DOC = (Path(__file__).parents[4] / "docs" / "policies.md").read_text(encoding="utf-8")
ALLOWED = re.findall(r"\+[a-z|]+", " ".join(re.findall(r"`([^`]*\+(?:evalsha|time) [^`]*)`", DOC)))
"""What docs/policies.md says that a user needs."""


def nobody(_: object) -> None:
    pass


async def test_it_is_let_in_and_redis_has_read_the_scripts(redis_server: Redis, looked: Any) -> None:
    link = await open_link(parse_redis_url(redis_server.url), SCRIPTS, nobody)
    names = [script.sha.decode() for script in (SCRIPTS.admit, SCRIPTS.spend, SCRIPTS.settle, SCRIPTS.renew)]
    assert looked.script_exists(*names) == [True] * 4
    asked = AskedOutside()
    link.say(command("DBSIZE"), asked)
    await asked
    assert asked.reply == 1  # the probe's lease, in the database that was named
    assert looked.pttl(looked.keys()[0]) > 0
    link.close("the test ends")


async def test_a_user_with_a_password(redis_server: Redis, looked: Any) -> None:
    user: Any = {"username": "nexus", "enabled": True, "passwords": ["+p"], "keys": ["nexus:*"]}
    looked.acl_setuser(**user, commands=ALLOWED)
    address = RedisAddress("127.0.0.1", redis_server.port, user="nexus", password="p")
    (await open_link(address, SCRIPTS, nobody)).close("the test ends")
    looked.acl_setuser(**user, commands=[*ALLOWED, "-evalsha", "-eval"])
    with pytest.raises(RedisError, match="NOPERM"):
        await open_link(address, SCRIPTS, nobody)


@pytest.mark.parametrize(("password", "why"), [("", "NOAUTH"), ("wrong-secret", "WRONGPASS")])
async def test_a_wrong_password(redis_server: Redis, password: str, why: str) -> None:
    with pytest.raises(RedisError, match=why) as caught:
        await open_link(RedisAddress("127.0.0.1", redis_server.port, password=password), SCRIPTS, nobody)
    assert "secret" not in str(caught.value)


async def test_one_that_cannot_be_written_to(redis_server: Redis, looked: Any) -> None:
    looked.config_set("maxmemory", 1)
    try:
        with pytest.raises(RedisError, match="OOM"):
            await open_link(parse_redis_url(redis_server.url), SCRIPTS, nobody)
    finally:
        looked.config_set("maxmemory", 0)


async def test_nobody_is_there() -> None:
    with pytest.raises(RedisError, match="refused"):
        await open_link(RedisAddress("127.0.0.1", free_port()), SCRIPTS, nobody)


async def test_one_that_says_nothing(played: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(RedisError, match="in time"):
        await open_link(RedisAddress("127.0.0.1", played.port), SCRIPTS, nobody)
    assert time.monotonic() - begun < opening.CONNECT_SECONDS + 0.5


async def test_one_that_does_not_speak_tls(played: Any) -> None:
    opened = asyncio.ensure_future(open_link(RedisAddress("127.0.0.1", played.port, tls=True), SCRIPTS, nobody))
    await played.hang_up()
    with pytest.raises(RedisError):
        await opened
