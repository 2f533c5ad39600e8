"""The list of subjects, and how each is started."""

import json
from pathlib import Path

import pytest

from bench.subjects import SUBJECTS, Site, Subject
from bench.subjects.subject import find_program
from nexus.gateway.config import parse_config
from nexus.gateway.edge.auth import digest


def test_names_are_unique_and_the_reference_is_first() -> None:
    names = [subject.name for subject in SUBJECTS]
    assert names[0] == "nginx"
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_launch_names_its_port_and_its_upstream(subject: Subject, tmp_path: Path) -> None:
    site = Site(port=4001, upstream_port=4002, model="bench", token="sk-1", limited_token="sk-2", folder=tmp_path)
    launch = subject.launch(Path("/opt/program"), site)
    files = "".join(path.read_text() for path in tmp_path.iterdir())
    told = json.dumps([launch.argv, dict(launch.env)]) + files
    assert "4001" in told
    assert "127.0.0.1:4002" in told
    assert launch.argv[0] == "/opt/program"


def test_who_has_limits_has_them_by_a_token_of_its_own_that_the_gateway_knows(tmp_path: Path) -> None:
    (subject,) = [one for one in SUBJECTS if one.limits]
    site = Site(port=4001, upstream_port=4002, model="bench", token="sk-1", limited_token="sk-2", folder=tmp_path)
    config = parse_config(Path(subject.launch(Path("/opt/program"), site).env["NEXUS_CONFIG"]).read_text())
    (token,) = config.tokens
    assert token.digest == digest("sk-2")
    assert token.policy is not None
    assert all((token.policy.rpm, token.policy.tpm, token.policy.concurrency))


def test_a_peer_in_the_bench_folder_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_program("none", "no-such-program") is None
    program = tmp_path / ".bench" / "peers" / "shell" / "bin" / "sh"
    program.parent.mkdir(parents=True)
    program.touch()
    assert find_program("shell", "sh") == program
