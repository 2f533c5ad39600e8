"""Opens a link to Redis that is known to work: let in, the scripts read, and one of them run."""

import asyncio
import ssl
from dataclasses import replace
from itertools import count
from typing import Final

from nexus.gateway.shared.address import RedisAddress
from nexus.gateway.shared.cluster import ClusterLinks, Linked, Lost, places_of
from nexus.gateway.shared.errors import RedisError
from nexus.gateway.shared.link import AskedInVain, AskedOutside, Link
from nexus.gateway.shared.resp import Reply, command
from nexus.gateway.shared.scripts import Scripts, keys_of

CONNECT_SECONDS: Final = 1.0
"""Nobody waits for it but who looks whether Redis is there."""

_NOBODY: Final = AskedInVain()


async def open_link(address: RedisAddress, scripts: Scripts, lost: Lost) -> Linked:
    """A link that works, or those to all servers of a cluster. Raises RedisError; it never has the password."""
    opened: list[Linked] = []
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await _open(address, scripts, lost, opened)
    except BaseException as error:  # cancelled or not: what was begun is ended
        for link in opened:
            link.close("another failed, or nobody wants it any more")
        if isinstance(error, TimeoutError):
            raise RedisError("it does not answer in time") from error
        if isinstance(error, OSError):
            raise RedisError(error.strerror or str(error)) from error
        raise


async def _open(address: RedisAddress, scripts: Scripts, lost: Lost, opened: list[Linked]) -> Linked:
    """What was begun is in `opened`, whatever comes of it."""
    link = await _let_in(address, lost, opened)
    if await _mode(link) == b"cluster":
        return await _open_cluster(link, address, scripts, lost, opened)
    await _prove(link, link, scripts, keys_of("probe"))
    return link


async def _open_cluster(
    seed: Link, address: RedisAddress, scripts: Scripts, lost: Lost, opened: list[Linked]
) -> Linked:
    places = places_of(await _asked(seed, command("CLUSTER", "SLOTS")), address.host)
    seed.close("each of its servers has a link of its own")
    cluster = ClusterLinks(lost)
    opened.append(cluster)
    links = {
        (host, port): await _let_in(replace(address, host=host, port=port), cluster.lost, opened)
        for host, port in dict.fromkeys(places)
    }
    cluster.hold(links, places)
    for link in links.values():
        own = next(keys for keys in (keys_of(f"probe {number}") for number in count()) if cluster.link_of(keys) is link)
        await _prove(link, cluster, scripts, own)
    return cluster


async def _let_in(address: RedisAddress, lost: Lost, opened: list[Linked]) -> Link:
    """A connection that has shown its password; whether that was right, the next answer tells."""
    loop = asyncio.get_running_loop()
    link = Link(loop, lost)
    opened.append(link)
    tls = ssl.create_default_context() if address.tls else None
    await loop.create_connection(lambda: link, address.host, address.port, ssl=tls)
    if address.password:
        user = (address.user,) if address.user else ()
        link.say(command("AUTH", *user, address.password), _NOBODY)
    if address.database:
        link.say(command("SELECT", address.database), _NOBODY)
    return link


async def _mode(link: Link) -> Reply:
    """What kind of Redis it is: names and values, in turn."""
    told = await _asked(link, command("HELLO", 2))
    pairs = told if isinstance(told, list) else []
    return next((pairs[index + 1] for index, name in enumerate(pairs[:-1]) if name == b"mode"), None)


async def _prove(link: Link, whole: Linked, scripts: Scripts, keys: bytes) -> None:
    """It runs the scripts, and can be written to: the probe takes a lease of a second."""
    for script in (scripts.spend, scripts.settle, scripts.renew):
        link.say(command("SCRIPT", "LOAD", script.text), _NOBODY)
    asked = AskedOutside()
    whole.run(scripts.admit, keys, (0, 0, 0, 0, b"probe", 1000), asked)
    await asked
    if asked.reply is None:
        raise RedisError(link.reason)


async def _asked(link: Link, words: bytes) -> Reply:
    asked = AskedOutside()
    link.say(words, asked)
    await asked
    if link.closed:
        raise RedisError(link.reason)
    return asked.reply
