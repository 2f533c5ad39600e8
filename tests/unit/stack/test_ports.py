"""Ports: stable where they can be, another where they cannot."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexus.stack.ports import PortBook, holder_of, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that someone listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_stays_the_same_from_run_to_run(tmp_path: Path) -> None:
    port = PortBook(tmp_path / "ports.json").port_for("alpha")
    assert PortBook(tmp_path / "ports.json").port_for("alpha") == port
    assert 20000 <= port < 30000


def test_two_programs_never_share_one(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    port = book.port_for("alpha")
    assert book.port_for("beta", wanted=port) != port


def test_a_taken_port_is_given_up(tmp_path: Path, taken: int) -> None:
    assert not is_free("127.0.0.1", taken)
    (tmp_path / "ports.json").write_text(f'{{"alpha": {taken}}}')
    book = PortBook(tmp_path / "ports.json")
    port = book.port_for("alpha")
    assert port != taken
    assert book.port_for("beta", wanted=taken) != taken


def test_a_wanted_port_goes_over_the_remembered_one(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    first = book.port_for("alpha")
    wanted = PortBook(tmp_path / "others.json").port_for("free one")
    assert wanted != first
    assert book.port_for("alpha", wanted) == wanted


def test_a_forgotten_port_can_be_had_again(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    port = book.port_for("alpha")
    book.forget("alpha")
    assert book.port_for("beta", wanted=port) == port


@pytest.mark.parametrize("content", ["[]", '{"alpha": "x"}', "{"])
def test_a_damaged_book_is_begun_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "ports.json").write_text(content)
    assert PortBook(tmp_path / "ports.json").port_for("alpha")


def test_the_holder_of_a_port_is_named(taken: int) -> None:
    assert holder_of(taken).endswith(f"(process {os.getpid()})")


def test_nobody_holds_a_free_port(tmp_path: Path) -> None:
    assert holder_of(PortBook(tmp_path / "ports.json").port_for("alpha")) == ""
