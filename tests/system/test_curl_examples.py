"""The examples of docs/curl.md run as they stand; that real models answer them is for the services' own tests."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.servers.cards import card
from tests.servers.gateway import TOKEN, Gateway
from tests.servers.scripted import ScriptedUpstream

PAGE = Path(__file__).parents[2] / "docs" / "curl.md"
SET_UP, *EXAMPLES = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the token where `make up` keeps it."""
    path = tmp_path_factory.mktemp("curl")
    (path / ".nexus").mkdir()
    (path / ".nexus" / "api_key").write_text(TOKEN + "\n")
    return path


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_runs(example: str, folder: Path, tmp_path: Path) -> None:
    with ScriptedUpstream(card(models=["smollm2", "minilm"])) as upstream, Gateway(tmp_path, [upstream.url]) as gateway:
        gateway.wait_for_state(upstream.url, "ready")
        script = f"set -eu\n{SET_UP.replace('http://127.0.0.1:8800', gateway.url)}{example}"
        done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        asked = [seen.json() for seen in upstream.seen if seen.method == "POST"]
    if '"stream": true' in example:
        assert done.stdout.rstrip().endswith(b"data: [DONE]")
    elif " -d " in example:
        assert json.loads(done.stdout)["model"] == asked[0]["model"]
    else:
        assert done.stdout


def test_there_is_one_of_every_kind() -> None:
    page = "".join(EXAMPLES)
    for part in ("/v1/models", '"stream_options"', '"tools"', '"json_schema"', '"base64"', "/metrics"):
        assert part in page
