"""`nexus doctor` as it is typed, on this very machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nexus.cli.doctor import check_site
from nexus.stack.doctor.gather import SiteFileError
from tests.servers.gateway import free_port
from tests.servers.listeners import full_listener


def typed(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
    given = {"NEXUS_PORT": str(free_port()), **(env or {})}
    command = [sys.executable, "-m", "nexus.cli", "doctor", *words]
    return subprocess.run(
        command, cwd=folder, env={**outside, **given}, capture_output=True, text=True, check=False, timeout=60
    )


def found(done: subprocess.CompletedProcess[str], check: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(done.stdout)["findings"] if one["check"] == check]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stack.toml").write_text("")
    return tmp_path


def test_a_folder_where_all_is_well_is_left_untouched(folder: Path) -> None:
    done = typed(folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok       files       the files can be used; 0 services")
    assert lines[-1].endswith("0 problems")
    assert "\x1b" not in done.stdout
    assert os.listdir(folder) == ["stack.toml"]


def test_a_taken_port_is_status_1(folder: Path) -> None:
    with full_listener() as port:
        began = time.monotonic()
        done = typed(folder, "--json", env={"NEXUS_PORT": str(port)})
    assert time.monotonic() - began < 20
    assert done.returncode == 1
    (told,) = found(done, "gateway")
    assert (told["level"], f"port {port}" in told["what"], bool(told["todo"])) == ("problem", True, True)


def test_everything_wrong_at_once_is_no_traceback(folder: Path) -> None:
    (folder / ".nexus").write_text("in the way")
    (folder / "stack.toml").write_text("[[[")
    (folder / "nexus.yaml").write_bytes(b"\xff")
    (folder / "site.toml").write_text("[sites]\n")
    done = typed(folder, "--json", "--profile", "none")
    assert (done.returncode, done.stderr) == (1, "")
    told = [one["what"] for one in found(done, "files") if one["level"] == "problem"]
    assert [any(name in what for what in told) for name in ("stack.toml", "nexus.yaml", "site.toml")] == [True] * 3
    assert found(done, "state")[0]["level"] == "problem"


def test_the_services_that_come_with_nexus_can_be_looked_at(tmp_path: Path) -> None:
    done = typed(tmp_path, "--json")
    assert not [one for one in found(done, "files") if one["level"] != "ok"]
    assert "the stack asks for" in found(done, "memory")[0]["what"]


def test_it_needs_nothing_that_the_gateways_image_is_spared() -> None:
    """There is no uv there, so what imports it must not be imported."""
    code = "import sys; sys.modules['uv'] = None; from nexus.cli.main import make_app; make_app('doctor')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_site_file(tmp_path: Path) -> None:
    assert check_site(tmp_path, None, []) is None
    (tmp_path / "site.toml").write_text("[site]\n")
    assert check_site(tmp_path, None, []) == "site.toml"
    (tmp_path / "other.toml").write_text("[service.nobody]\n")
    with pytest.raises(SiteFileError, match="nobody"):
        check_site(tmp_path, tmp_path / "other.toml", [])
    with pytest.raises(SiteFileError, match=r"none\.toml"):
        check_site(tmp_path, tmp_path / "none.toml", [])
