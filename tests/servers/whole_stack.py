"""The whole embedded stack, started as a user starts it, with real models."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai

from tests.servers.up import Up

ROOT = Path(__file__).parents[2]


class Stack:
    """The whole embedded stack, started as a user starts it."""

    def __init__(self, up: Up) -> None:
        self.up = up
        self.token = (up.folder / ".nexus" / "api_key").read_text().strip()
        self.client = openai.OpenAI(base_url=f"{up.url}/v1", api_key=self.token, max_retries=0, timeout=300)
        self.http = httpx.Client(base_url=up.url, headers={"authorization": f"Bearer {self.token}"}, timeout=300)

    def ready(self) -> set[str]:
        """The services that are ready now."""
        services = self.http.get("/v1/services").json()["data"]
        return {service["name"] for service in services if service["state"] == "ready"}

    def begin(self, path: str, **wish: Any) -> str:
        """Ask for something as a job; its id."""
        answer = self.http.post(f"/v1/{path}", json={**wish, "background": True})
        assert answer.status_code == 202, answer.text
        identity: str = answer.json()["id"]
        return identity

    def progress(self, identity: str) -> int:
        """How far a job is, in percent."""
        percent: int = self.http.get(f"/v1/jobs/{identity}").json()["progress"]
        return percent

    def job(
        self, identity: str, until: tuple[str, ...] = ("completed", "failed"), within: float = 120
    ) -> dict[str, Any]:
        """The job, once it has one of these statuses."""

        def there() -> dict[str, Any] | None:
            job: dict[str, Any] = self.http.get(f"/v1/jobs/{identity}").json()
            return job if job["status"] in until else None

        found: dict[str, Any] = self.up.until(there, f"{identity} is not {until}", within)
        return found

    def close(self) -> None:
        self.client.close()
        self.http.close()


def embedded_services() -> set[str]:
    """The services that a stack starts where nobody asks for further ones: those without a profile."""
    manifests = {path.parent.name: tomllib.loads(path.read_text()) for path in ROOT.glob("services/*/service.toml")}
    return {name for name, manifest in manifests.items() if "profile" not in manifest.get("deploy", {})}


@contextmanager
def whole_stack() -> Iterator[Stack]:
    """State lies in a folder of the checkout, so that the services' environments are not made for each run."""
    wanted = embedded_services()
    folder = ROOT / ".nexus" / "system"
    folder.mkdir(parents=True, exist_ok=True)
    for old in (folder / ".nexus").glob("nexus.db*"):
        old.unlink()
    up = Up(folder, NEXUS_HEALTH_INTERVAL="1")
    try:
        up.says("Nexus is at", 600)
        stack = Stack(up)
        up.until(lambda: stack.ready() >= wanted, "not all services are ready", 600)
        yield stack
        stack.close()
        assert up.end() == 0
    finally:
        up.kill()
