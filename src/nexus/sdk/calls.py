"""The calls that are being answered: what ends one before its time, and who waits for all of them to end."""

import asyncio
import logging
from typing import Final

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Call

_log: Final = logging.getLogger(__name__)


class RunningCall:
    """One call and the task that answers it. `stopped` is done once it was stopped before its end.

    Its result then is the error to tell the caller, or None when the caller has left.
    """

    def __init__(self) -> None:
        self.call: Call | None = None
        self.task: asyncio.Task[None] | None = None
        self.stopped: asyncio.Future[ApiError | None] = asyncio.get_running_loop().create_future()

    def stop(self, error: ApiError | None) -> None:
        """End the call: the engine is told, its task cancelled. Only the first stop counts."""
        if self.stopped.done():
            return
        self.stopped.set_result(error)
        if self.task is not None:
            self.task.cancel()
        if self.call is not None:
            try:
                self.call.cancel()
            except Exception:  # noqa: BLE001 - an engine's on_cancel callback may raise anything; the call is over
                _log.exception("an on_cancel callback failed")


class RunningCalls:
    """All running calls of a service; tasks stay here until they are through, their callers gone or not."""

    def __init__(self) -> None:
        self._calls: dict[asyncio.Task[None], RunningCall] = {}
        self._by_id: dict[str, RunningCall] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, running: RunningCall, task: asyncio.Task[None]) -> None:
        running.task = task
        self._calls[task] = running
        if running.call is not None:
            self._by_id[running.call.request_id] = running
        task.add_done_callback(self._ended)

    def of(self, request_id: str) -> RunningCall | None:
        """The call with that request's id; of several with the same one, the last that came."""
        return self._by_id.get(request_id)

    def stop_all(self, error: ApiError) -> None:
        for running in list(self._calls.values()):
            running.stop(error)

    async def ended(self, seconds: float) -> bool:
        """Wait until no call runs, at most so long; whether that is so."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._calls:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            await asyncio.wait(list(self._calls), timeout=left)
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        running = self._calls.pop(task)
        if running.call is not None and self._by_id.get(running.call.request_id) is running:
            del self._by_id[running.call.request_id]
