"""What is known of each part of a stack."""

import io
import json
from pathlib import Path

from nexus.stack.journal import Journal
from nexus.stack.progress import Phase
from nexus.stack.terminal import Terminal


def test_a_journal_keeps_rows_logs_and_last_words(tmp_path: Path) -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    journal = Journal(terminal, tmp_path)
    take = journal.output("alpha")
    journal.report("alpha", Phase.STARTING)
    probe = json.dumps({"event": "request", "method": "GET", "path": "/readyz"}).encode()
    take(b"one\ntw")
    take(b"o\n" + probe + b"\n")
    assert journal.last_words("alpha") == "two"
    assert not journal.settled
    journal.report("alpha", Phase.READY)
    assert journal.settled
    assert journal.phase("alpha") is Phase.READY
    journal.report("alpha", Phase.STARTING)
    assert journal.last_words("alpha") == ""
    journal.remove("alpha")
    assert journal.phase("alpha") is None
    journal.close()
    terminal.close()
    assert (tmp_path / "alpha.log").read_bytes() == b"one\ntwo\n" + probe + b"\n"
