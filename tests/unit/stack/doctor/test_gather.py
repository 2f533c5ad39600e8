"""A folder's files, good and bad, read by those who act on them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nexus.stack.doctor.gather import SiteFileError, gather, state_of
from nexus.stack.doctor.values import Finding, Host
from nexus.stack.plan import state_folder


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """None of Nexus's variables; those that reading sets are taken back."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("NEXUS_")]:
        del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def folder(tmp_path: Path, make_service: Callable[[Path], Path]) -> Path:
    (tmp_path / "stack.toml").write_text("")
    for name in ("reader", "writer"):
        make_service(tmp_path / "services" / name)
    return tmp_path


def add(folder: Path, text: str) -> None:
    with folder.open("a") as file:
        file.write(text)


def read(folder: Path, *profiles: str) -> tuple[Host, list[Finding]]:
    return gather(folder, profiles, lambda _: None)


def names(host: Host) -> list[str]:
    return [one.name for one in host.services]


def complaints(found: list[Finding]) -> list[str]:
    return [one.what for one in found if one.level == "problem"]


def test_a_folder_where_all_is_well(folder: Path) -> None:
    host, found = read(folder)
    assert names(host) == ["reader", "writer"]
    assert [(one.level, one.what) for one in found] == [("ok", "the files can be used; 2 services are to run")]
    assert (host.state, host.token, host.given_database) == (folder / ".nexus", None, False)
    assert not host.state.exists()


def test_what_the_stack_file_says_of_services(folder: Path) -> None:
    (folder / "stack.toml").write_text(
        '[gateway]\nenv = {NEXUS_PORT = 9900}\n[service.reader]\nport = 9001\nreplicas = 2\nextras = ["big"]\n'
        "[service.writer]\nreplicas = 0\n"
    )
    host, _ = read(folder)
    (reader,) = host.services
    assert (reader.port, reader.replicas, reader.extras) == (9001, 2, ("big",))
    assert [one.name for one in host.others] == ["writer"]
    assert host.settings is not None
    assert host.settings.port == 9900


def test_services_of_a_profile_wait_until_they_are_asked_for(folder: Path) -> None:
    add(folder / "services" / "writer" / "service.toml", '[deploy]\nprofile = "large"\n')
    assert names(read(folder)[0]) == ["reader"]
    host, _ = read(folder, "large")
    assert [(one.name, one.in_stack) for one in host.services] == [("reader", True), ("writer", False)]
    (folder / "stack.toml").write_text('[stack]\nprofiles = ["large"]\n')
    assert [one.in_stack for one in read(folder)[0].services] == [True, True]
    _, found = read(folder, "lage")
    assert [one.what for one in found if one.level == "warning"] == ["no service has the profile lage"]


def test_every_bad_file_is_told(folder: Path) -> None:
    (folder / "nexus.yaml").write_text("aliasses: {}\n")
    (folder / "services" / "reader" / "service.toml").write_text("[service]\n")
    (folder / "services" / "writer" / "models").mkdir()
    (folder / "services" / "writer" / "models" / "m.toml").write_text("id = 7\n")
    host, found = read(folder)
    told = complaints(found)
    assert len(told) == 3
    assert told[0].startswith("nexus.yaml: aliasses: there is no such key")
    assert "reader" in told[1]
    assert "m.toml" in told[2]
    assert names(host) == ["writer"]


def test_the_state_is_where_the_stack_keeps_it(folder: Path) -> None:
    assert state_of(folder) == state_folder(folder).root


def test_a_bad_stack_file(folder: Path) -> None:
    (folder / "stack.toml").write_text("[stack]\nservces = []\n")
    host, found = read(folder)
    assert complaints(found) == [f"{folder}/stack.toml: stack.servces: Extra inputs are not permitted"]
    assert host.services == ()


def test_a_bad_variable(folder: Path) -> None:
    os.environ["NEXUS_PORT"] = "many"
    host, found = read(folder)
    assert host.settings is None
    assert complaints(found)[0].startswith("NEXUS_PORT: ")


def test_the_site_file_is_planned_by(folder: Path) -> None:
    def refuse(_: object) -> str | None:
        raise SiteFileError("site.toml: no good")

    assert complaints(gather(folder, (), refuse)[1]) == ["site.toml: no good"]
    _, found = gather(folder, (), lambda manifests: f"site.toml for {len(manifests)}")
    assert found[-1].what == "site.toml for 2 can be used"


def test_the_token_is_read_and_never_made(folder: Path) -> None:
    (folder / ".nexus").mkdir()
    (folder / ".nexus" / "api_key").write_text("sk-1\n")
    assert read(folder)[0].token == "sk-1"
    os.environ["NEXUS_API_KEY"] = "sk-2"
    assert read(folder)[0].token == "sk-2"


def test_a_database_that_the_operator_named(folder: Path) -> None:
    os.environ["NEXUS_DATABASE_URL"] = "postgresql://nexus:x@db/nexus"
    assert read(folder)[0].given_database


def test_secrets_of_services_are_not_taken_along(folder: Path) -> None:
    entry = '[[config]]\nenv = "{}"\nsecret = {}\n'
    add(folder / "services" / "reader" / "service.toml", entry.format("READER_URL", "false"))
    add(folder / "services" / "reader" / "service.toml", entry.format("READER_TOKEN", "true"))
    os.environ |= {"READER_URL": "http://x", "READER_TOKEN": "s3cret"}
    assert read(folder)[0].services[0].env == {"READER_URL": "http://x"}
