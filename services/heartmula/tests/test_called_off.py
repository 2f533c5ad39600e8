"""Through a real gateway: a job that is called off stops heartlib at once."""

import json
import time
from pathlib import Path
from typing import Any

from tests.servers.gateway import Gateway
from tests.servers.raw import wait_until

FOLDER = Path(__file__).parents[1]


def test_deleting_a_job_reaches_heartlib_within_a_second(
    serve: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "heartlib.jsonl"

    def noted() -> list[dict[str, Any]]:
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    with serve(FOLDER, **{**environment, "HEARTLIB_LOG": str(log)}) as url, Gateway(tmp_path, [url]) as gateway:
        gateway.wait_for_state(url, "ready", 20)
        asked = {"lyrics": "slow", "duration": 200, "background": True}
        job = gateway.post("/v1/music/generations", asked).json()
        wait_until(noted, 20)
        off = time.time()
        assert gateway.get(f"/v1/jobs/{job['id']}", method="DELETE").status == 200
        wait_until(lambda: noted()[-1].get("interruption"), 3)
        assert noted()[-1]["at"] - off < 1
        assert gateway.get(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"
