"""The list of subjects, and how each is started."""

import json
from pathlib import Path

import pytest

from bench.subjects import SUBJECTS, Site, Subject
from bench.subjects.subject import find_program


def test_names_are_unique_and_the_reference_is_first() -> None:
    names = [subject.name for subject in SUBJECTS]
    assert names[0] == "nginx"
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_launch_names_its_port_and_its_upstream(subject: Subject, tmp_path: Path) -> None:
    site = Site(port=4001, upstream_port=4002, model="bench", token="sk-1", folder=tmp_path)
    launch = subject.launch(Path("/opt/program"), site)
    files = "".join(path.read_text() for path in tmp_path.iterdir())
    told = json.dumps([launch.argv, dict(launch.env)]) + files
    assert "4001" in told
    assert "127.0.0.1:4002" in told
    assert launch.argv[0] == "/opt/program"


def test_a_peer_in_the_bench_folder_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_program("none", "no-such-program") is None
    program = tmp_path / ".bench" / "peers" / "shell" / "bin" / "sh"
    program.parent.mkdir(parents=True)
    program.touch()
    assert find_program("shell", "sh") == program
