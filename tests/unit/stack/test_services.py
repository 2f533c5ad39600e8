"""Services as they are found in folders, and what their processes are started with."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from nexus.stack.config import read_stack
from nexus.stack.runner import LaunchError
from nexus.stack.services import Program, ServiceStarter, fingerprint, programs
from nexus.stack.state import StateFolder


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def workdir(tmp_path: Path, make_service: Callable[[Path], Path]) -> Path:
    make_service(tmp_path / "services" / "alpha")
    (tmp_path / "stack.toml").write_text("[service.alpha]\nreplicas = 2\nenv = { COLOUR = 'red', SHAPE = 'round' }\n")
    return tmp_path


def starter(workdir: Path, executor: Executor, **environ: str) -> tuple[ServiceStarter, tuple[Program, ...]]:
    stack = read_stack(workdir / "stack.toml")
    made = ServiceStarter(stack, StateFolder(workdir / ".nexus"), environ, workdir, executor)
    return made, programs(stack)


def test_replicas_have_names_of_their_own(workdir: Path) -> None:
    stack = read_stack(workdir / "stack.toml")
    assert [(one.name, one.service, one.replica) for one in programs(stack)] == [
        ("alpha-1", "alpha", 0),
        ("alpha-2", "alpha", 1),
    ]
    (workdir / "stack.toml").write_text("[service.alpha]\nreplicas = 0\n")
    assert programs(read_stack(workdir / "stack.toml")) == ()


def test_a_folder_at_rest_looks_the_same_twice(workdir: Path) -> None:
    folder = workdir / "services" / "alpha"
    before = fingerprint(folder)
    (folder / "__pycache__").mkdir()
    assert fingerprint(folder) == before
    (folder / "engine.py").write_text("changed")
    assert fingerprint(folder) != before


def test_a_program_is_listed_once_it_has_a_port(workdir: Path, executor: Executor) -> None:
    made, (first, second) = starter(workdir, executor)
    assert made.listed(first) is None
    port = made.assign_port(first)
    listed = made.listed(first)
    assert listed
    assert (listed.url, listed.card.instance) == (f"http://127.0.0.1:{port}", "alpha-1")
    assert made.assign_port(second) != port
    made.release(first)
    assert made.listed(first) is None
    (workdir / "services" / "alpha" / "service.toml").write_text("")
    assert made.listed(second) is None


async def test_what_a_process_is_started_with(workdir: Path, executor: Executor) -> None:
    secrets = {"NEXUS_API_KEY": "k", "NEXUS_REGISTRATION_SECRET_FILE": "/s", "NEXUS_GATEWAY_URL": "http://g"}
    made, (first, _) = starter(workdir, executor, COLOUR="blue", **secrets)
    lines: list[str] = []
    launch = await made.prepare(first, lines.append)
    assert launch.command[1:4] == ["-m", "nexus.sdk.serve", str(workdir / "services" / "alpha")]
    assert launch.env["NEXUS_SERVICE_PORT"] == str(launch.endpoint.port)
    assert launch.env["NEXUS_SERVICE_INSTANCE"] == "alpha-1"
    assert (launch.env["COLOUR"], launch.env["SHAPE"]) == ("blue", "round")
    assert not secrets.keys() & launch.env.keys()
    assert any(line.startswith("Installed") for line in lines)


async def test_a_manifest_that_cannot_be_read_starts_nothing(workdir: Path, executor: Executor) -> None:
    made, (first, _) = starter(workdir, executor)
    (workdir / "services" / "alpha" / "service.toml").write_text("[service]\n")
    with pytest.raises(LaunchError, match=r"service\.toml: service\.name"):
        await made.prepare(first, lambda _: None)


async def test_an_unknown_extra_starts_nothing(workdir: Path, executor: Executor) -> None:
    (workdir / "stack.toml").write_text('[service.alpha]\nextras = ["big"]\n')
    made, (only,) = starter(workdir, executor)
    with pytest.raises(LaunchError, match=r"there is no .*requirements-big\.txt"):
        await made.prepare(only, lambda _: None)


async def test_after_the_end_nothing_is_installed(workdir: Path, executor: Executor) -> None:
    made, (first, _) = starter(workdir, executor)
    made.stop_installing()
    with pytest.raises(LaunchError, match="stopped"):
        await made.prepare(first, lambda _: None)
