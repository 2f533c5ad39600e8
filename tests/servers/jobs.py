"""Asks a gateway for jobs, and how they are."""

from typing import Any

from tests.servers.gateway import Gateway
from tests.servers.raw import Answer, wait_until

PATH = "/v1/music/generations"


def submit(gateway: Gateway, prompt: str = "a song", **fields: Any) -> dict[str, Any]:
    answer = gateway.post(PATH, {"prompt": prompt, "background": True, **fields})
    assert answer.status == 202, answer
    job: dict[str, Any] = answer.json()
    assert answer.header("location") == f"/v1/jobs/{job['id']}"
    return job


def look(gateway: Gateway, job: dict[str, Any]) -> dict[str, Any]:
    answer = gateway.get(f"/v1/jobs/{job['id']}")
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json()
    return found


def wait_for(gateway: Gateway, job: dict[str, Any], status: str, within: float = 20.0) -> dict[str, Any]:
    def there() -> dict[str, Any] | None:
        found = look(gateway, job)
        return found if found["status"] == status else None

    found: dict[str, Any] = wait_until(there, within)
    return found


def result(gateway: Gateway, job: dict[str, Any], **options: Any) -> Answer:
    return gateway.get(f"/v1/jobs/{job['id']}/result", **options)
