"""The operator's folder: what comes, goes, changes and cannot be used."""

import json
import os
from pathlib import Path

import pytest
from nexus_comfyui.library import OWN, Folder, own_workflow, read_workflow
from nexus_comfyui.workflow import WorkflowError

TEXT = (OWN / "sdxl-text.json").read_text()


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert Folder(None).look().workflows == ()
    assert Folder(tmp_path / "none").look().workflows == ()


def test_what_comes_changes_and_goes(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "a.json").write_text(TEXT)
    first = folder.look()
    assert [one.name for one in first.workflows] == ["a"]
    assert folder.look() is first
    mapping = tmp_path / "a.toml"
    mapping.write_text('title = "A"\n[inputs]\nprompt = "6.text"\n')
    assert [set(one.mapping.inputs) for one in folder.look().workflows] == [{"prompt"}]
    mapping.write_text('title = "B"\n')
    os.utime(mapping, (1, 1))
    changed = folder.look().workflows[0].mapping
    assert (changed.title, "seed" in changed.inputs, changed.operations) == ("B", True, ("images.generations",))
    (tmp_path / "a.json").unlink()
    assert folder.look().workflows == ()


def test_what_cannot_be_used_does_not_disturb_the_rest(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(TEXT)
    (tmp_path / "editor.json").write_text('{"nodes": []}')
    (tmp_path / "unfit.json").write_text(TEXT)
    (tmp_path / "unfit.toml").write_text('[inputs]\nprompt = "99.text"\n')
    (tmp_path / "bad.json").write_text(TEXT)
    (tmp_path / "bad.toml").write_text("[inputs")
    shelf = Folder(tmp_path).look()
    assert [one.name for one in shelf.workflows] == ["good"]
    assert set(shelf.problems) == {"editor", "unfit", "bad"}
    assert "99" in shelf.problems["unfit"]


def test_a_file_that_is_too_large_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "big.json").write_text(json.dumps({"1": {"class_type": "A", "inputs": {"x": "y" * 5_000_000}}}))
    with pytest.raises(WorkflowError, match="larger"):
        read_workflow(tmp_path / "big.json")
    with pytest.raises(WorkflowError, match="cannot be read"):
        read_workflow(tmp_path / "none.json")


@pytest.mark.parametrize("file", sorted(OWN.glob("*.json")), ids=lambda file: file.stem)
def test_every_workflow_of_the_services_own_can_be_read(file: Path) -> None:
    assert own_workflow(file.stem).mapping.title
