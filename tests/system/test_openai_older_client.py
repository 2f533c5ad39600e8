"""The same tests as with the newest `openai` client, with the 2.x one in an environment of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("openai<3", "pytest", "pytest-asyncio", "pytest-timeout", "httptools", "uvloop", "psutil")


@pytest.mark.timeout(400)
def test_the_2_x_client(tmp_path: Path) -> None:
    uv = (sys.executable, "-m", "uv")
    environment = tmp_path / "environment"
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([*uv, "pip", "install", "-q", "--python", python, *NEEDED], check=True)
    version = subprocess.check_output([python, "-c", "import openai; print(openai.__version__)"], text=True)
    assert version.startswith("2.")
    result = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", "tests/system/test_openai_client.py"],
        cwd=ROOT,
        env={**os.environ, "NEXUS_TEST_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
