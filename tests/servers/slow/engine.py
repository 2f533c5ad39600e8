"""An engine whose work is waiting: as long, as often and as badly as each request wants."""

import json
import os
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nexus.contract.errors import INVALID_REQUEST, OVERLOADED, ApiError
from nexus.sdk.engine import Call, Content, Engine


class Work(BaseModel):
    """`steps` of `pace` seconds each; `die`: the process is killed in the middle, the first time."""

    prompt: str
    steps: int = 4
    pace: float = 0.05
    die: bool = False
    refuse: bool = False


class SlowEngine(Engine):
    def music_generations(self, request: Work, call: Call) -> Content:
        if request.refuse:
            raise ApiError(INVALID_REQUEST, "this one is refused", param="refuse")
        self._write("begin", request)
        for step in range(request.steps):
            if call.cancelled:
                self._write("cancelled", request)
                raise ApiError(OVERLOADED, "the call was cancelled")
            if request.die and step == request.steps // 2 and self._first_time(request):
                os.kill(os.getpid(), 9)
            call.report(step / request.steps, f"step {step}")
            time.sleep(request.pace)
        self._write("end", request)
        return Content(f"sound of {request.prompt}".encode(), "audio/wav")

    def _first_time(self, request: Work) -> bool:
        diary = Path(self.config["SLOW_DIARY"])
        return diary.read_text().count(f'"begin", "prompt": "{request.prompt}"') == 1

    def _write(self, what: str, request: Work) -> None:
        entry: dict[str, Any] = {"what": what, "prompt": request.prompt, "at": time.monotonic()}
        with Path(self.config["SLOW_DIARY"]).open("a") as diary:
            diary.write(json.dumps(entry) + "\n")
