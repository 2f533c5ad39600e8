"""Words and tables for people."""

import pytest

from nexus.cli.asked import say_columns, say_one, word


def test_words_for_people() -> None:
    item = {"a": None, "b": "", "c": True, "d": False, "made_at": 0, "e": 7}
    assert [word(item, column) for column in ("a", "b", "c", "d", "made_at", "e", "missing")] == [
        "-", "-", "yes", "no", "1970-01-01 00:00", "7", "-",
    ]  # fmt: skip


def test_columns_are_as_wide_as_their_widest(capsys: pytest.CaptureFixture[str]) -> None:
    say_columns([{"name": "ada", "role": "admin"}, {"name": "bobby", "role": "user"}], ("name", "role"))
    assert capsys.readouterr().out == "name   role\nada    admin\nbobby  user\n"


def test_one_thing_is_a_line_for_each_of_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    say_one({"name": "ada", "role": "admin", "expires_at": None}, ("name", "expires_at"))
    assert capsys.readouterr().out == "name          ada\nexpires_at    -\n"
