"""By which gateways that share a database learn that something is otherwise than before: one number for each kind.

It goes up in the transaction that makes the change, before anything else there: so that changes come one after the
other, and whoever reads a version sees all that belongs to it.
"""

from typing import Final, Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.store.tables import versions

Of = Literal["tokens", "usage"]
"""Who is let in (tokens, users and sessions), and what is used of budgets."""

TOKENS: Final = "tokens"
USAGE: Final = "usage"


async def version(connection: AsyncConnection, of: Of = TOKENS) -> int:
    """A number that is another one after each change, and after nothing else."""
    found = await connection.execute(select(versions.c.version).where(versions.c.name == of))
    number: int = found.scalar_one()
    return number


async def bump(connection: AsyncConnection, of: Of = TOKENS) -> None:
    """Raise the version; whoever else changes something waits here until this transaction has ended."""
    further = versions.c.version + 1
    await connection.execute(update(versions).where(versions.c.name == of).values(version=further))
