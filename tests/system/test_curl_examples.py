"""What the README and docs/curl.md show, run as it stands beside the real stack."""

import json
import re
import subprocess
from pathlib import Path

import av
import pytest

from tests.servers.whole_stack import ROOT, Stack

CURL = (ROOT / "docs" / "curl.md").read_text(encoding="utf-8")
SET_UP, *EXAMPLES = re.findall(r"```sh\n(.*?)```", CURL, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
pytestmark = [
    pytest.mark.models,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:(The Sora API|deprecated):DeprecationWarning"),
]


@pytest.fixture
def folder(whole: Stack, tmp_path: Path) -> Path:
    """A working directory with the token where `make up` keeps it."""
    (tmp_path / ".nexus").mkdir()
    (tmp_path / ".nexus" / "api_key").write_text(whole.token + "\n")
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: next(iter(re.findall(r"/v1/[a-z/]+", text)), "pages"))
def test_an_example_runs(example: str, whole: Stack, folder: Path) -> None:
    script = f"set -eu\n{SET_UP.replace('http://127.0.0.1:8800', whole.up.url)}{example}"
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = re.findall(r"(?:--output|>) (\w+\.\w+)", example)
    assert all((folder / name).stat().st_size > 1000 for name in made)
    if '"stream": true' in example:
        assert done.stdout.rstrip().endswith(b"data: [DONE]")
    elif " -d " in example and not made:
        assert json.loads(done.stdout)
    elif not made:
        assert done.stdout


def test_the_answers_are_those_of_real_models(whole: Stack, folder: Path) -> None:
    (example,) = [text for text in EXAMPLES if "audio/transcriptions" in text]
    script = f"set -eu\n{SET_UP.replace('http://127.0.0.1:8800', whole.up.url)}{example}"
    heard = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, timeout=120, check=True).stdout
    assert "fox" in heard.decode().lower()  # a voice that is another each time may be misheard in a word


@pytest.mark.parametrize("snippet", PYTHON)
def test_the_readmes_python_runs(snippet: str, whole: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    exec(compile(snippet.replace("http://127.0.0.1:8800", whole.up.url), "README.md", "exec"), {})
    with av.open(folder / "clouds.mp4") as film:
        assert sum(1 for _ in film.decode(video=0)) == 96


def test_there_is_one_of_every_kind() -> None:
    page = "".join(EXAMPLES)
    for part in ("/v1/models", '"stream_options"', '"tools"', '"json_schema"', '"base64"', "/metrics", "file_id"):
        assert part in page
