"""Opens a link to Redis that is known to work: let in, the scripts read, and one of them run."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from nexus.gateway.shared.address import RedisAddress
from nexus.gateway.shared.errors import RedisError
from nexus.gateway.shared.link import AskedInVain, AskedOutside, Link
from nexus.gateway.shared.resp import command
from nexus.gateway.shared.scripts import Scripts, keys_of

CONNECT_SECONDS: Final = 1.0
"""Nobody waits for it but who looks whether Redis is there."""

_PROBE: Final = "a lease that shows that Redis can be written to"


async def open_link(address: RedisAddress, scripts: Scripts, lost: Callable[[Link], None]) -> Link:
    """A link that works. Raises RedisError that says why there is none; it never has the password."""
    loop = asyncio.get_running_loop()
    tls = ssl.create_default_context() if address.tls else None
    link = Link(loop, lost)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await loop.create_connection(lambda: link, address.host, address.port, ssl=tls)
            await _greet(link, address, scripts)
    except TimeoutError as error:
        link.close("it does not answer in time")
        raise RedisError(link.reason) from error
    except OSError as error:
        link.close(error.strerror or str(error))
        raise RedisError(link.reason) from error
    except BaseException:
        link.close("nobody wants it any more")
        raise
    return link


async def _greet(link: Link, address: RedisAddress, scripts: Scripts) -> None:
    """All of it in one round trip: what fails closes the link, so that the last answer tells of all."""
    nobody = AskedInVain()
    if address.password:
        user = (address.user,) if address.user else ()
        link.say(command("AUTH", *user, address.password), nobody)
    if address.database:
        link.say(command("SELECT", address.database), nobody)
    for script in (scripts.spend, scripts.settle, scripts.renew):
        link.say(command("SCRIPT", "LOAD", script.text), nobody)
    asked = AskedOutside()
    link.run(scripts.admit, keys_of(_PROBE), (0, 0, 0, 0, b"probe", 1000), asked)
    await asked
    if asked.reply is None:
        raise RedisError(link.reason)
