"""How a prompt stands at an engine that has no /api/jobs."""

from typing import Any

from nexus_comfyui.comfy import Comfy
from nexus_comfyui.outputs import AnsweredError


class Old:
    """An engine without that route. The prompt ends right after the first look at the queue or at the history."""

    def __init__(self) -> None:
        self.ended = False

    async def get_json(self, path: str) -> Any:
        if path.startswith("/api/jobs"):
            raise AnsweredError(404, b"404: Not Found")
        ended, self.ended = self.ended, True
        if path == "/queue":
            return {"queue_running": [] if ended else [[0, "p", {}, {}, []]], "queue_pending": []}
        assert path == "/history/p"
        return {"p": {"outputs": {}, "status": {"status_str": "success", "messages": []}}} if ended else {}


async def test_a_prompt_that_ends_between_two_looks_is_not_lost() -> None:
    comfy = Comfy("http://127.0.0.1:9")
    await comfy.close()
    comfy._http = Old()  # type: ignore[assignment]
    statuses = [(await comfy.job("p") or {}).get("status") for _ in range(2)]
    assert statuses == ["in_progress", "completed"]
