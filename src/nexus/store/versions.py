"""By which gateways that share a database learn that somebody is let in otherwise than before: a number in one row.

It goes up in the transaction that makes the change, before anything else there: so that changes come one after the
other, and whoever reads a version sees all that belongs to it.
"""

from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.store.tables import versions

_NAME: Final = "tokens"


async def version(connection: AsyncConnection) -> int:
    """A number that is another one after each change, and after nothing else."""
    found = await connection.execute(select(versions.c.version).where(versions.c.name == _NAME))
    number: int = found.scalar_one()
    return number


async def bump(connection: AsyncConnection) -> None:
    """Raise the version; whoever else changes something waits here until this transaction has ended."""
    further = versions.c.version + 1
    await connection.execute(update(versions).where(versions.c.name == _NAME).values(version=further))
