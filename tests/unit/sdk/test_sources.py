"""A model's files are found by path, in an installed package, or behind a URL; else it is told why not."""

import sys
import threading
from pathlib import Path

import pytest

from nexus.sdk.models import ModelEntry, Source
from nexus.sdk.problems import ModelError
from nexus.sdk.sources import local_path, resolve, unresolved


def entry(folder: Path, **source: str) -> ModelEntry:
    made = Source.model_validate(source) if source else None
    return ModelEntry(file=folder / "models" / "a.toml", id="a", aliases=("b",), source=made, options={"x": 1})


def found(one: ModelEntry, folder: Path) -> tuple[Path | None, str | None]:
    return resolve(one, folder / "cache", threading.Event())


def test_an_entry_becomes_an_engines_model(tmp_path: Path) -> None:
    model = unresolved(entry(tmp_path))
    assert (model.id, model.aliases, model.options, model.path) == ("a", ("b",), {"x": 1}, None)
    assert found(entry(tmp_path), tmp_path) == (None, None)


def test_a_path_is_seen_from_the_entrys_folder(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"hello")
    one = entry(tmp_path, path="../weights.bin")
    assert local_path(one) == tmp_path / "weights.bin"
    path, digest = found(one, tmp_path)
    assert path == tmp_path / "weights.bin"
    assert digest is not None
    assert digest.startswith("sha256:2cf24dba")
    with pytest.raises(ModelError, match="is not there"):
        found(entry(tmp_path, path="gone.bin"), tmp_path)


def test_a_packages_file_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "sdk_sources_weights"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "data" / "small.gguf").write_bytes(b"hello")
    monkeypatch.syspath_prepend(tmp_path)
    path, _ = found(entry(tmp_path, package="sdk_sources_weights", file="**/*.gguf"), tmp_path)
    assert path == package / "data" / "small.gguf"
    assert "sdk_sources_weights" not in sys.modules
    folder, _ = found(entry(tmp_path, package="sdk_sources_weights", file="data"), tmp_path)
    assert folder == package / "data"
    for file, words in (("*.onnx", "matches 0 files"), ("**/*.*", "matches 2 files"), ("/etc/*", "not a pattern")):
        with pytest.raises(ModelError, match=words):
            found(entry(tmp_path, package="sdk_sources_weights", file=file), tmp_path)


def test_a_package_that_is_not_there_is_told(tmp_path: Path) -> None:
    for name in ("sdk_sources_gone", "sdk_sources_gone.inner"):
        with pytest.raises(ModelError, match="is not installed"):
            found(entry(tmp_path, package=name, file="*"), tmp_path)


def test_a_url_is_fetched_into_the_cache(tmp_path: Path) -> None:
    sha256 = "ab" * 32
    kept = tmp_path / "cache" / sha256 / "m.gguf"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"verified when it was fetched")
    one = entry(tmp_path, url="http://127.0.0.1:9/m.gguf", sha256=sha256)
    assert found(one, tmp_path) == (kept, f"sha256:{sha256}")
