"""What becomes of a row that is there already, on each database."""

from sqlalchemy import select

from nexus.store.conflicts import insert_into
from nexus.store.database import Database
from nexus.store.tables import attempts


async def test_a_row_that_is_there_already_stays_or_is_written_over(database: Database) -> None:
    async with database.begin() as connection:
        for failures in (1, 2):
            row = {"key": "kept", "failures": failures, "at": 0.0, "until": 0.0}
            await connection.execute(insert_into(attempts, connection).values(row).on_conflict_do_nothing())
            new = insert_into(attempts, connection)
            over = new.on_conflict_do_update(index_elements=[attempts.c.key], set_={"failures": new.excluded.failures})
            await connection.execute(over, [{**row, "key": "replaced"}])
        rows = await connection.execute(select(attempts.c.key, attempts.c.failures).order_by(attempts.c.key))
        assert [tuple(row) for row in rows] == [("kept", 1), ("replaced", 2)]
