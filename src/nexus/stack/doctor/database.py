"""The database that the operator named: whether it answers, which revision it is at, and its clock."""

import asyncio
import time
from typing import Final

from sqlalchemy import text

from nexus.stack.doctor.values import Finding, Host, ok, problem, warning
from nexus.store.address import parse_database_url
from nexus.store.database import Database
from nexus.store.errors import DatabaseError
from nexus.store.tables import REVISION

_SECONDS: Final = 2.5
_SKEW: Final = 5.0  # claims of jobs last ten seconds


def database(host: Host) -> list[Finding]:
    """Nothing is written: a SQLite file that is not there is not made."""
    if host.settings is None or not host.given_database:
        return [ok("SQLite in the state folder")]
    url = host.settings.database_url.get_secret_value()
    file = parse_database_url(url).file
    if file is not None and not (host.workdir / file).exists():
        return [ok(f"the SQLite database {file} will be made")]
    try:
        return asyncio.run(_asked(url))
    except DatabaseError as error:
        return [problem(f"NEXUS_DATABASE_URL: {error}", "start the database, or correct host, name and password")]
    except TimeoutError:
        told = f"NEXUS_DATABASE_URL: the database does not answer within {_SECONDS:g} s"
        return [problem(told, "look at its host, its port and the firewalls between")]


async def _asked(url: str) -> list[Finding]:
    database = Database(url)
    try:
        async with asyncio.timeout(_SECONDS):
            revision = await database.revision()
            async with database.read() as connection:
                if database.dialect == "sqlite":
                    return [judge(database.dialect, revision, 0.0)]
                theirs = (await connection.execute(text("SELECT extract(epoch FROM clock_timestamp())"))).scalar_one()
                return [judge(database.dialect, revision, float(theirs) - time.time())]
    finally:
        await database.close()


def judge(dialect: str, revision: str | None, skew: float) -> Finding:
    """`revision` is the database's, None for an empty one; `skew` is by how many seconds its clock is ahead of ours."""
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(dialect, dialect)
    if revision is not None and revision > REVISION:
        told = f"the {kind} database is at revision {revision}, which a newer Nexus made; this one knows {REVISION}"
        return problem(told, "install that newer Nexus, or go back to a copy of the database from before")
    if abs(skew) > _SKEW:
        ahead = "ahead of" if skew > 0 else "behind"
        told = f"the clock of the {kind} database is {abs(skew):.0f} s {ahead} this host's"
        return warning(told, "turn on time synchronisation on both")
    if revision == REVISION:
        return ok(f"the {kind} database answers, at revision {revision}")
    was = "empty" if revision is None else f"at revision {revision}"
    return ok(f"the {kind} database answers; it is {was}, and will be brought to {REVISION} at the start")
