"""What keeps the service from starting, in one line."""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1]


def test_a_folder_that_is_not_whole(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "nexus.sdk.serve", str(FOLDER), "--port", "0"],
        env={**os.environ, "NEXUS_HEARTMULA_CHECKPOINT": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode != 0
    assert f"{tmp_path} has no tokenizer.json, gen_config.json, HeartMuLa-oss-3B, HeartCodec-oss" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr
