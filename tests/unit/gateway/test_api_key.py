"""The administrator's token is made once, whoever starts at the same time."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.gateway.api_key import ensure_api_key
from nexus.gateway.settings import SettingsError


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    key = ensure_api_key(state)
    assert key.startswith("sk-nexus-")
    assert len(key) == len("sk-nexus-") + 43
    assert stat.S_IMODE((state / "api_key").stat().st_mode) == 0o600
    assert ensure_api_key(state) == key
    assert [path.name for path in state.iterdir()] == ["api_key"]


def test_an_empty_key_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text("\n")
    with pytest.raises(SettingsError, match=r"^NEXUS_API_KEY: .* is empty"):
        ensure_api_key(tmp_path)


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from nexus.gateway.api_key import ensure_api_key
print(ensure_api_key(Path({str(tmp_path)!r})))
"""
    started = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(4)]
    keys = {process.communicate(timeout=60)[0] for process in started}
    assert len(keys) == 1
    assert keys.pop().strip().decode() == (tmp_path / "api_key").read_text().strip()


def test_of_two_that_make_the_key_the_first_wins(tmp_path: Path) -> None:
    def slow() -> str:
        (tmp_path / "api_key").write_text("sk-nexus-first\n")
        return "sk-nexus-second"

    assert ensure_api_key(tmp_path, slow) == "sk-nexus-first"
