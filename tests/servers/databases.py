"""Databases that gateways share: a file on one machine, or a PostgreSQL that several machines reach."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.postgres import postgres, why_not


@contextmanager
def on_one_machine(folder: Path) -> Iterator[str]:
    """The URL of a SQLite database in this folder."""
    yield f"sqlite:///{folder}/shared.db"


@contextmanager
def on_several(_: Path) -> Iterator[str]:
    """The URL of a PostgreSQL of its own; where none can be started, the test is skipped."""
    if reason := why_not():
        pytest.skip(reason)
    with postgres() as server:
        yield f"postgresql://{server}/postgres"


# For `params` of a fixture and for `parametrize`.
EITHER = (pytest.param(on_one_machine, id="sqlite"), pytest.param(on_several, id="postgresql"))
