"""The words of a finding."""

from pathlib import Path

from nexus.stack.doctor.values import Host, ok, problem, warning


def test_only_what_is_ok_needs_nothing_done() -> None:
    assert [(one.level, bool(one.todo)) for one in (ok("a"), warning("b", "c"), problem("d", "e"))] == [
        ("ok", False),
        ("warning", True),
        ("problem", True),
    ]


def test_a_service_is_called_by_its_folder(wanted) -> None:
    assert wanted("word-tools").name == "word-tools"
    assert Host(Path("/"), Path("/x")).services == ()
