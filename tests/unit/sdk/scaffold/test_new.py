"""`new_service` writes a folder that is a valid service, or says in one line why it does not."""

import ast
from pathlib import Path

import pytest

from nexus.sdk.manifest import read_manifest
from nexus.sdk.problems import ServiceError
from nexus.sdk.scaffold.new import destination, new_service, substitutions


def test_a_new_service_is_whole(tmp_path: Path) -> None:
    folder = new_service("word-tools", tmp_path / "services")
    assert folder == tmp_path / "services" / "word-tools"
    names = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert names == {"service.toml", "engine.py", "requirements.txt", "README.md", "tests/test_service.py"}
    manifest = read_manifest(folder)
    assert (manifest.name, manifest.operations) == ("word-tools", ("word_tools.count",))
    assert manifest.endpoints[0].path == "/v1/word-tools/count"
    assert manifest.service.engine == "engine:WordToolsEngine"
    for file in folder.rglob("*.py"):
        ast.parse(file.read_text())
    for file in folder.rglob("*.*"):
        assert file.is_dir() or "$" not in file.read_text()
    assert all(line.startswith("#") for line in (folder / "requirements.txt").read_text().splitlines())


@pytest.mark.parametrize(
    "name", ["", "Word", "1a", "a b", "-a", "a-", "a--b", "a/b", "..", "a" * 49, "models", "tools"]
)
def test_bad_names_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ServiceError) as caught:
        new_service(name, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ServiceError, match="is already there"):
        new_service("a", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match="cannot be made"):
        new_service("b", tmp_path / "file")


def test_services_go_where_services_are(tmp_path: Path) -> None:
    assert destination(tmp_path) == tmp_path
    (tmp_path / "services").mkdir()
    assert destination(tmp_path) == tmp_path / "services"


def test_names_with_dashes_and_underscores() -> None:
    words = substitutions("speech-to_text2")
    assert (words["identifier"], words["variable"], words["cls"]) == (
        "speech_to_text2",
        "SPEECH_TO_TEXT2",
        "SpeechToText2",
    )
