"""The verbs before there is an engine (see test_app.py for the routes of a running service)."""

import threading
from typing import Any

from nexus.sdk.engine import Call, Engine

MANIFEST = '[service]\nname = "s"\nengine = "engine:E"\noperations = ["completions"]\n'


class Late(Engine):
    async def completions(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {}


def test_models_are_promised_and_verbs_refused_while_the_engine_is_not_there(start) -> None:
    release = threading.Event()

    def slowly() -> type[Engine]:
        release.wait(10)
        return Late

    running = start(slowly, MANIFEST, models={"a.toml": 'id = "a"'})
    assert [(one["id"], one["state"]) for one in running.get("/v1/models").json()["data"]] == [("a", "loading")]
    assert running.get("/v1/models/a").json()["state"] == "loading"
    refused = running.post("/v1/models/a/load")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_ready_service")
    release.set()
    running.until_ready()
    assert running.get("/v1/models/a").json()["state"] == "ready"
