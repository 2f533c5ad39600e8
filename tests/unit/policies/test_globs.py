"""Patterns of names."""

import pytest

from nexus.policies.globs import Globs, everything


@pytest.mark.parametrize(
    ("patterns", "name", "allowed"),
    [
        (["*"], "anything", True),
        (["chat.*"], "chat.completions", True),
        (["chat.*"], "chatxcompletions", False),
        (["chat.*"], "a chat.x", False),
        (["a", "b?"], "b1", True),
        (["a", "b?"], "b", False),
        (["a", "b?"], "b12", False),
        (["q**x"], "qx", True),
        (["[a]+"], "[a]+", True),
        (["[a]+"], "aa", False),
        (["a*"], "a\nb", True),
        (["Q*"], "q", False),
        ([], "", False),
        ([], "a", False),
    ],
)
def test_a_name_is_allowed_by_the_first_pattern_that_fits_it_whole(
    patterns: list[str], name: str, allowed: bool
) -> None:
    assert Globs(patterns).allows(name) is allowed


def test_only_the_star_alone_is_everything() -> None:
    assert everything().everything
    assert Globs(["a", "*"]).everything
    assert not Globs(["a*"]).everything


def test_they_compare_by_what_they_say() -> None:
    assert Globs(["a"]) == Globs(("a",))
    assert hash(Globs(["a"])) == hash(Globs(("a",)))
    assert Globs(["a"]) != Globs(["b"])
