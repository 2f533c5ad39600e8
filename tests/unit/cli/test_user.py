"""`nexus user` as it is typed, at a running gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.gateway import Gateway
from tests.servers.typed import Type, typed_at


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("users"), env={"NEXUS_USERS": "on"}) as gateway:
        yield gateway


@pytest.fixture
def typed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Type:
    return typed_at(gateway, "user", monkeypatch)


def signs_in(gateway: Gateway, name: str, password: str) -> bool:
    status = gateway.post("/v1/session", {"name": name, "password": password}, token=None).status
    assert status in (200, 401)
    return bool(status == 200)


def test_a_password_that_is_made_is_alone_on_a_line(typed: Type, gateway: Gateway) -> None:
    result = typed("create", "root", "--role", "admin")
    (password,) = result.stdout.splitlines()
    assert result.stderr == "root (role admin, policy default); the password is not shown again:\n"
    assert signs_in(gateway, "root", password)
    (another,) = typed("passwd", "root").stdout.splitlines()
    assert (signs_in(gateway, "root", password), signs_in(gateway, "root", another)) == (False, True)


def test_a_password_from_a_file_is_not_shown(typed: Type, gateway: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse battery\nsecond line\n")
    result = typed("create", "ada", "--password-file", str(file))
    assert (result.stdout, result.stderr) == ("", "ada (role user, policy default).\n")
    assert signs_in(gateway, "ada", "correct horse battery")
    missing = typed("passwd", "ada", "--password-file", str(tmp_path / "missing"))
    assert missing.exit_code == 1
    assert missing.stderr.endswith("missing cannot be read: No such file or directory\n")


def test_the_life_of_a_user(typed: Type) -> None:
    made = json.loads(typed("create", "bob", "--json").stdout)
    assert len(made["password"]) == 24
    assert typed("disable", "bob").stdout == "disabled: bob\n"
    assert typed("enable", made["id"]).stdout == "enabled: bob\n"
    assert typed("change", "bob", "--role", "viewer").stdout == "changed: bob\n"
    lines = typed("list").stdout.splitlines()
    assert lines[0].split() == ["name", "role", "policy", "disabled", "signed_in_at", "issuer"]
    assert ["bob", "viewer", "default", "no", "-", "-"] in [line.split() for line in lines]
    shown = typed("show", "bob").stdout
    assert f"id            {made['id']}" in shown
    assert typed("delete", "bob").stdout == "deleted: bob\n"
    refused = typed("show", "bob")
    assert (refused.exit_code, refused.stderr) == (1, "nexus: There is no user 'bob'.\n")
