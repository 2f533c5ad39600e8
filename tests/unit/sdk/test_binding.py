"""The engine is imported from its folder, made and bound; whatever is wrong is one line."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nexus.sdk.binding import bind, import_engine, make_engine
from nexus.sdk.engine import Call, Engine
from nexus.sdk.manifest import ServiceManifest
from nexus.sdk.problems import ServiceError


class Good(Engine):
    async def chat_completions(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return request

    def own_do(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return request


class Picky(Engine):
    def __init__(self, config: Any) -> None:
        raise OSError("no\ndevice")


def manifest(folder: Path = Path("/"), engine: str = "engine:E") -> ServiceManifest:
    service = {"name": "s", "engine": engine, "operations": ["chat.completions"]}
    endpoints = [{"operation": "own.do", "path": "/v1/own/do"}]
    return ServiceManifest.model_validate({"folder": folder, "service": service, "endpoints": endpoints})


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in [name for name in sys.modules if name.startswith("sdk_binding_")]:
        del sys.modules[name]


def test_every_operation_is_bound() -> None:
    bound = bind(manifest(), make_engine(Good, {}))
    assert bound["chat.completions"].done_marker
    assert not bound["own.do"].done_marker
    assert bound["own.do"].name == "own.do"


def test_a_missing_method_is_named() -> None:
    with pytest.raises(ServiceError, match="has no method chat_completions"):
        bind(manifest(), Engine({}))


def test_a_constructors_complaint_is_one_line() -> None:
    with pytest.raises(ServiceError) as caught:
        make_engine(Picky, {})
    assert str(caught.value) == "Picky: cannot be made: OSError: no device"


def test_the_engine_is_imported_from_its_folder_with_its_neighbours(folder: Path) -> None:
    (folder / "sdk_binding_words.py").write_text("WORD = 'hello'\n")
    (folder / "sdk_binding_a.py").write_text(
        "from nexus.sdk.engine import Engine\nfrom sdk_binding_words import WORD\nclass E(Engine):\n    word = WORD\n"
    )
    assert import_engine(manifest(folder, "sdk_binding_a:E")).word == "hello"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class E: pass", "not a subclass"),
        ("", "not a subclass"),
        ("import gone_module", "gone_module"),
        ("(", "Syntax"),
    ],
)
def test_what_is_no_engine_is_told(folder: Path, text: str, words: str) -> None:
    (folder / "sdk_binding_b.py").write_text(text)
    with pytest.raises(ServiceError, match=words):
        import_engine(manifest(folder, "sdk_binding_b:E"))
    with pytest.raises(ServiceError, match="cannot be imported"):
        import_engine(manifest(folder, "sdk_binding_gone:E"))
