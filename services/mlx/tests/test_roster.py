"""Which models may be asked for, and by which names the server is asked."""

import pytest
from nexus_mlx.roster import DEFAULT, allow_list

from nexus.sdk.engine import Model


def entry(id: str, **options: object) -> Model:
    return Model(id=id, options=options)


def names(entries: list[Model], own: str) -> dict[str, str]:
    return {listed.model.id: listed.name for listed in allow_list(entries, own)}


def test_entries_are_asked_for_by_their_names_alone() -> None:
    entries = [entry("small", model="mlx-community/small-4bit"), entry("mine", model="/models/mine")]
    assert names(entries, "") == {"small": "mlx-community/small-4bit", "mine": "/models/mine"}


def test_the_servers_own_model_is_listed_too() -> None:
    assert names([], "/models/llama-3/") == {"llama-3": DEFAULT}
    assert names([entry("small", model="a/b")], "mlx-community/big") == {"small": "a/b", "big": DEFAULT}
    assert names([], "") == {DEFAULT: DEFAULT}


def test_an_entry_may_be_the_servers_own_model() -> None:
    assert names([entry("chat", model="a/own")], "a/own") == {"chat": DEFAULT}
    assert names([entry("chat")], "a/own") == {"chat": DEFAULT}
    assert names([entry("own", model="c/d")], "a/own") == {"own": "c/d"}


def test_states_are_told() -> None:
    listed = allow_list([entry("a", model="org/a"), entry("b", model="org/b"), entry("c", model="/x/c")], "")
    found = [one.found("org/a", {"org/a", "org/z"}) for one in listed]
    assert [one.state for one in found] == ["ready", "unloaded", "unloaded"]
    assert [bool(one.reason) for one in found] == [False, True, False]
    assert [one.found(None, ()).reason for one in listed] == ["", "", ""]


@pytest.mark.parametrize("options", [{"model": ""}, {"model": 5}, {"at_once": 0}, {"modle": "x"}])
def test_options_that_cannot_be_used(options: dict[str, object]) -> None:
    bad, good = allow_list([entry("a", **options), entry("b", model="org/b")], "")
    found = bad.found("", ())
    assert (found.state, found.reason.partition(":")[0]) == ("failed", f"options.{next(iter(options))}")
    assert good.found("org/b", ()).state == "ready"
