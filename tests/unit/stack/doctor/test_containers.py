"""What Docker's client says, from nothing at all to an engine without room.

`docker` is played by a script that prints what the real client does; the machine's own is asked as well, if any.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from nexus.stack.doctor.commands import Said
from nexus.stack.doctor.containers import Docker, judge, look

INFO = {"ServerVersion": "27.3.1", "OperatingSystem": "Debian", "MemTotal": 8 * 1024**3, "DockerRootDir": "/d"}
COMPOSE = Said(0, "2.29.7\n")


def levels(docker: Docker, need: int = 1000) -> list[str]:
    return [finding.level for finding in judge(docker, need)]


def info(**changes: Any) -> Said:
    return Said(0, json.dumps({**INFO, **changes}))


def test_all_is_there() -> None:
    assert levels(Docker(info(), COMPOSE, 50_000)) == ["ok", "ok"]


def test_no_docker_is_no_problem() -> None:
    (found,) = judge(Docker(None), 1)
    assert found.level == "warning"
    assert "nexus up" in found.what


@pytest.mark.parametrize(
    ("said", "told", "todo"),
    [
        (
            Said(1, '{"ServerErrors":["permission denied while trying to connect to the Docker daemon socket"]}'),
            "this user may not use",
            "group docker",
        ),
        (
            Said(1, '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///var/run/docker.sock."]}'),
            "Cannot connect",
            "systemctl start docker",
        ),
        (Said(124, err="docker did not answer within 2.5 s"), "did not answer", "start it"),
        (Said(0, "no JSON"), "no JSON", "start it"),
    ],
)
def test_an_engine_that_cannot_be_used(said: Said, told: str, todo: str) -> None:
    found = judge(Docker(said, COMPOSE), 1)
    assert [one.level for one in found] == ["warning", "ok"]
    assert told in found[0].what
    assert todo in found[0].todo


@pytest.mark.parametrize("compose", [None, Said(1, err="docker: 'compose' is not a docker command."), Said(0, "2.3.3")])
def test_compose_that_is_missing_or_old(compose: Said | None) -> None:
    assert levels(Docker(info(), compose, 50_000)) == ["ok", "warning"]


@pytest.mark.parametrize("version", ["2.20.0", "v2.40.3-desktop.1", "5.6.1"])
def test_compose_that_will_do(version: str) -> None:
    assert levels(Docker(info(), Said(0, version))) == ["ok", "ok"]


def test_an_engine_that_is_old() -> None:
    assert levels(Docker(info(ServerVersion="19.03.1"), COMPOSE)) == ["warning", "ok"]


def test_an_engine_without_room() -> None:
    found = judge(Docker(info(), COMPOSE, 500), 20_000)
    assert [one.level for one in found] == ["ok", "ok", "warning", "warning"]
    assert "8192 MB of memory; the stack asks for 20000 MB" in found[2].what
    assert "500 MB are free in Docker's data folder /d" in found[3].what


def test_the_client_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "info.json").write_text(json.dumps({**INFO, "DockerRootDir": str(tmp_path)}))
    client = tmp_path / "docker"
    client.write_text(f'#!/bin/sh\n[ "$1" = info ] && cat {tmp_path}/info.json || echo 2.29.7\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    asked = look()
    assert asked.info is not None
    assert json.loads(asked.info.out)["ServerVersion"] == "27.3.1"
    assert asked.compose == COMPOSE
    assert asked.free is not None
    assert levels(asked)[:2] == ["ok", "ok"]


def test_the_data_folder_may_be_in_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho '" + json.dumps({**INFO, "DockerRootDir": "/no/such/folder"}) + "'\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert look().free is None


def test_whatever_is_here_can_be_looked_at() -> None:
    assert levels(look())
