"""Through a real gateway: the contract is kept, and a job that is called off is called off at the engine at once."""

from pathlib import Path
from typing import Any

from nexus.sdk.conformance.run import run_checks
from tests.servers.gateway import Gateway
from tests.servers.raw import wait_until


def test_the_contract_is_kept(served: str, invoke: Any) -> None:
    results = run_checks(served)
    assert [f"{one.check.name}: {one.reason}" for one in results if one.status == "fail"] == []
    assert "models-listed" in {one.check.name for one in results if one.status == "pass"}


def test_deleting_a_job_reaches_the_engine_within_a_second(served: str, invoke: Any, tmp_path: Path) -> None:
    invoke.control(step_seconds=0.1)
    asked = {"model": "SDXL-base", "prompt": "x", "size": "64x64", "steps": 200, "background": True}
    begun = len(invoke.graphs())
    with Gateway(tmp_path, [served]) as gateway:
        gateway.wait_for_state(served, "ready", 20)
        job = gateway.post("/v1/images/generations", asked).json()
        invoke.wait_for("/api/v1/queue/default/enqueue_batch", begun + 1, "POST")
        wait_until(lambda: gateway.get(f"/v1/jobs/{job['id']}").json()["progress"] > 0, 20)
        told = invoke.told()
        off = told["now"]
        assert gateway.get(f"/v1/jobs/{job['id']}", method="DELETE").status == 200
        item = max(map(int, told["items"]))
        cancelled = invoke.wait_for(f"/api/v1/queue/default/i/{item}/cancel", 1, "PUT", seconds=3)
        assert cancelled["at"] - off < 1
        assert gateway.get(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"
