"""The table of operations: names and paths are unique, and engine methods follow from the names."""

import pytest

from nexus.contract.operations import BY_NAME, OPERATIONS


def test_names_and_paths_are_unique() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)


def test_by_name_holds_every_row() -> None:
    assert tuple(BY_NAME.values()) == OPERATIONS
    assert all(name == operation.name for name, operation in BY_NAME.items())


@pytest.mark.parametrize(
    ("name", "method"),
    [("chat.completions", "chat_completions"), ("embeddings", "embeddings"), ("audio.speech", "audio_speech")],
)
def test_engine_method_is_the_name_with_underscores(name: str, method: str) -> None:
    assert BY_NAME[name].engine_method == method


def test_engine_methods_are_unique_identifiers() -> None:
    methods = [operation.engine_method for operation in OPERATIONS]
    assert len(set(methods)) == len(methods)
    assert all(method.isidentifier() for method in methods)


def test_only_event_streams_end_with_a_done_marker() -> None:
    assert all(operation.stream == "sse" for operation in OPERATIONS if operation.done_marker)
    assert {operation.name for operation in OPERATIONS if operation.done_marker} == {"chat.completions", "completions"}
