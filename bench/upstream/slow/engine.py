"""An engine whose work is waiting: jobs that cost their gateway what jobs cost, and the machine nothing."""

import time

from pydantic import BaseModel, Field

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.sdk.engine import Call, Content, Engine

_STEP_SECONDS = 0.1


class Work(BaseModel):
    """How long it takes, and how large the result is."""

    seconds: float = Field(ge=0)
    megabytes: float = Field(ge=0)


class SlowEngine(Engine):
    def music_generations(self, request: Work, call: Call) -> Content:
        """Wait, telling how far it is; then that many bytes."""
        steps = round(request.seconds / _STEP_SECONDS)
        for step in range(steps):
            if call.cancelled:
                raise ApiError(OVERLOADED, "the call was cancelled")
            call.report(step / steps, f"step {step}")
            time.sleep(_STEP_SECONDS)
        return Content(bytes(round(request.megabytes * 1e6)), "audio/wav")
