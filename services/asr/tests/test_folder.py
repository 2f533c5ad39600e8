"""A folder of models: what is put there can be asked for, and what is taken away is not there any more."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from nexus_asr.folder import found_models

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Model

FOLDER = Path(__file__).parents[1]
FILES = ("model.bin", "config.json", "tokenizer.json")


def make(folder: Path, *names: str) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"x")


def test_each_whole_folder_is_a_model(tmp_path: Path) -> None:
    make(tmp_path / "small", *FILES)
    make(tmp_path / "half", *FILES[:2])
    make(tmp_path / "pictures", "cat.png")
    (tmp_path / "notes.txt").write_text("no model")
    found = {one.model.id: one for one in found_models(tmp_path, [], {"small"}, {"device": "cuda"})}
    assert list(found) == ["half", "small"]
    assert (found["small"].state, found["small"].model.path) == ("ready", tmp_path / "small")
    assert found["small"].model.options == {"device": "cuda"}
    assert (found["half"].state, "no tokenizer.json" in found["half"].reason) == ("failed", True)


def test_entries_go_first_and_keep_their_names(tmp_path: Path) -> None:
    make(tmp_path / "base", *FILES)
    make(tmp_path / "whisper-1", *FILES)
    entry = Model("base", aliases=("whisper-1",))
    (found,) = found_models(tmp_path, [entry], (), {})
    assert (found.model, found.state) == (entry, "unloaded")


async def test_a_folder_that_is_not_there(engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await engine.discover([]) is None
    config = {**engine.config, "NEXUS_ASR_MODELS": str(tmp_path / "x")}
    monkeypatch.setattr(engine, "config", {**config, "NEXUS_ASR_DEVICE": "cpu", "NEXUS_ASR_COMPUTE_TYPE": "int8"})
    with pytest.raises(ApiError, match="cannot be read: No such file") as caught:
        await engine.discover([])
    assert caught.value.status == 503


@pytest.fixture(scope="module")
def served(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, openai.OpenAI]]:
    """A service with a folder of models that is empty at first, and a client."""
    folder = tmp_path_factory.mktemp("models")
    variables = {"NEXUS_ASR_MODELS": str(folder), "NEXUS_MODELS_CACHE": str(tmp_path_factory.mktemp("cache"))}
    with (
        serve(FOLDER, **variables) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield folder, client


def test_a_model_is_put_there_asked_for_and_taken_away(
    served: tuple[Path, openai.OpenAI], models: dict[str, Model], speech: Callable[[str], bytes]
) -> None:
    folder, client = served
    source = models["tiny-en"].path
    assert source is not None
    museum = ("museum.ogg", speech("museum"))
    assert names(client) == {"whisper-base", "whisper-tiny.en"}
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(file=museum, model="mine.en")
    link(source, folder / "mine.en")
    wait_until(lambda: "mine.en" in names(client))
    *deltas, done = client.audio.transcriptions.create(file=museum, model="mine.en", stream=True)
    assert "museum" in done.text
    assert "".join(event.delta for event in deltas) == done.text
    assert "museum" in client.audio.transcriptions.create(file=museum, model="whisper-tiny.en").text
    assert state(client, "mine.en") == "ready"
    shutil.rmtree(folder / "mine.en")
    wait_until(lambda: "mine.en" not in names(client))
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(file=museum, model="mine.en")
    link(source, folder / "mine.en")
    wait_until(lambda: "mine.en" in names(client))
    assert state(client, "mine.en") == "unloaded"  # what was in memory went with its folder


def link(source: Path, folder: Path) -> None:
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).symlink_to(file.resolve())


def state(client: openai.OpenAI, name: str) -> str:
    return str(client.models.retrieve(name).model_extra["state"])


def names(client: openai.OpenAI) -> set[str]:
    return {model.id for model in client.models.list()}


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
