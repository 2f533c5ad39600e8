"""Real programs: what they say, that they fail, that they hang."""

import time
from pathlib import Path

import pytest

from nexus.stack.doctor.commands import Said, ask


def test_what_a_program_says() -> None:
    said = ask("sh", "-c", "echo out; echo first >&2; echo last >&2; exit 3")
    assert said == Said(3, "out\n", "first\nlast\n")
    assert said.last_line == "last"


def test_a_program_that_says_nothing() -> None:
    said = ask("sh", "-c", "exit 5")
    assert said is not None
    assert said.last_line == "it ended with status 5"


def test_a_program_that_is_not_there() -> None:
    assert ask("no-such-program-as-this") is None


def test_a_program_that_hangs_is_killed() -> None:
    began = time.monotonic()
    said = ask("sleep", "30", seconds=0.2)
    assert time.monotonic() - began < 5
    assert said == Said(124, err="sleep did not answer within 0.2 s")


def test_a_program_that_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "broken"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = ask("broken")
    assert said is not None
    assert said.status == 126
