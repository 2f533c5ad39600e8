"""Runs one coroutine by hand, in the callbacks that bring what it waits for: no task, no future, no extra loop turn.

The lane's coroutines await nothing but a `Signal`. Whoever sets the signal resumes the coroutine on the spot and
gets control back at its next wait. Laws:

- One coroutine waits for one signal at a time, and a signal has one waiter.
- `interrupt` raises inside the coroutine at its wait; its `finally` blocks run before `interrupt` returns,
  unless it is running right now: then at its next wait.
- What a coroutine lets escape is handed to `failed`, never to the callback that resumed it.
- A coroutine that has ended is let go of, so that finished requests are freed without the garbage collector.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Signal:
    """Something that happens; remembered until it is waited for. `waiting` is set and read by `Drive` and `set`."""

    waiting: "Drive | None" = None
    _is_set = False

    def set(self) -> None:
        """It happened: resume the coroutine that waits for it, or let the next wait pass at once."""
        drive = self.waiting
        if drive is None:
            self._is_set = True
        else:
            self.waiting = None
            drive.resume()

    def __await__(self) -> Generator["Signal", None, None]:
        """To wait for it. The iterator of a tuple does for this, and is no frame to pass through."""
        if self._is_set:
            self._is_set = False
            return iter(())  # type: ignore[return-value]  # only typing asks for a generator
        return iter((self,))  # type: ignore[return-value]


class Drive:
    """One coroutine on its way from signal to signal. A subclass says in `failed` what becomes of its exceptions."""

    _steps: Generator[Signal, None, None] | None = None
    _signal: Signal | None = None
    _interruption: BaseException | None = None
    _running = False

    def failed(self, error: BaseException) -> None:
        """The coroutine let `error` escape."""
        raise NotImplementedError

    def drive(self, coroutine: Coroutine[Signal, None, None]) -> None:
        """Start `coroutine`; it runs to its first wait."""
        self._steps = coroutine.__await__()
        self.resume()

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` where the coroutine waits. Nothing happens if it has ended."""
        steps = self._steps
        if steps is None:
            return
        if self._running:
            self._interruption = error
            return
        if self._signal is not None:
            self._signal.waiting = None
        self._running = True
        try:
            signal = steps.throw(error)
        except StopIteration:
            self._steps = self._signal = None
        except BaseException as escaped:  # noqa: BLE001 - see `resume`
            self._end_with(escaped)
        else:
            self._signal = signal
            signal.waiting = self
            self._running = False
            if self._interruption is not None:
                self._interrupt_later()

    def end(self) -> None:
        """End the coroutine where it waits, and tell nobody: its `finally` blocks run before this returns.

        Not while it is running.
        """
        steps, signal = self._steps, self._signal
        self._steps = self._signal = None
        if signal is not None:
            signal.waiting = None
        if steps is not None:
            steps.close()

    def resume(self) -> None:
        """Go on after the signal that the coroutine waited for."""
        steps = self._steps
        if steps is None:
            return
        self._running = True
        try:
            signal = next(steps, None)  # None is the end: quicker told than by StopIteration
        except BaseException as escaped:  # noqa: BLE001 - the resuming callback belongs to another connection
            self._end_with(escaped)
            return
        if signal is None:
            self._steps = self._signal = None
            return
        self._running = False
        self._signal = signal
        signal.waiting = self
        if self._interruption is not None:
            self._interrupt_later()

    def _end_with(self, escaped: BaseException) -> None:
        self._steps = self._signal = None
        self.failed(escaped)

    def _interrupt_later(self) -> None:
        """It ran when it was to be interrupted; now it waits."""
        interruption, self._interruption = self._interruption, None
        if interruption is not None:
            self.interrupt(interruption)


async def outside(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises, run as a task of the event loop while the coroutine of the lane waits for it.

    For what awaits futures (the database, a disk), which the lane itself cannot. An interruption cancels it.
    """
    done = Signal()
    task = loop.create_task(work)
    task.add_done_callback(lambda _: done.set())
    try:
        await done
    except BaseException:  # whatever interrupts the call: nobody waits for the work any more
        task.cancel()
        raise
    return task.result()


async def pause(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Let so much time pass."""
    over = Signal()
    timer = loop.call_later(seconds, over.set)
    try:
        await over
    finally:
        timer.cancel()
