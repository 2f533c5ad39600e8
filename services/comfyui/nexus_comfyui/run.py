"""One prompt from its submission to the files that it saved, told as it goes; given up when nobody waits."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from nexus.contract.errors import NO_READY_SERVICE, OVERLOADED, UPSTREAM_ERROR, ApiError
from nexus_comfyui.comfy import Comfy
from nexus_comfyui.outputs import SavedFile, failed, saved_files
from nexus_comfyui.progression import Ended, Preview, Progression, Saved, Step, Told
from nexus_comfyui.socket import HungUpError, Messages
from nexus_comfyui.workflow import Workflow

T = TypeVar("T")
CANCEL_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.5
_FINISHED: Final = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Files:
    """What a finished prompt saved, in the order of its nodes."""

    saved: tuple[SavedFile, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt to run. `previews`: whether unfinished pictures are wanted."""

    workflow: Workflow
    values: Mapping[str, Any]
    previews: bool = False


async def run(comfy: Comfy, prompt: Prompt) -> AsyncGenerator[Step | Preview | Files, None]:
    """What is told of the prompt while it runs, and last its files. Raises ApiError.

    The websocket is open before the prompt goes out, as the engine tells its start to nobody else and only once. Where
    it takes none, or it breaks off, the prompt is asked after instead.
    """
    prompt_id, client_id = str(uuid.uuid4()), uuid.uuid4().hex
    graph = prompt.workflow.filled(prompt.values, prompt_id)
    outputs: dict[str, Any] = {}
    over = False
    async with comfy.listen(client_id) as messages:
        submitting = asyncio.ensure_future(
            comfy.submit(prompt_id, client_id, graph, prompt.workflow, previews=prompt.previews)
        )
        try:
            await asyncio.shield(submitting)
            progression = Progression(prompt_id, graph)
            async for told in _told(comfy, prompt_id, progression, messages):
                if isinstance(told, Saved):
                    outputs[told.node] = told.output
                elif isinstance(told, Ended):
                    over = True
                    _succeeded(told)
                else:
                    yield told
            over = True
            outputs.update(await _outputs(comfy, prompt_id))
        finally:
            if not over:
                await _bounded(_given_up(comfy, prompt_id, submitting))
    await _bounded(comfy.forget(prompt_id))
    yield Files(_ordered(outputs, prompt.workflow))


def _ordered(outputs: Mapping[str, Any], workflow: Workflow) -> tuple[SavedFile, ...]:
    saved = saved_files(outputs, workflow.mapping.outputs)
    if not saved:
        raise ApiError(UPSTREAM_ERROR, f"the engine finished the workflow {workflow.name} and saved no file")
    return saved


def _succeeded(ended: Ended) -> None:
    if ended.how == "error":
        raise failed(ended.reason, ended.kind)
    if ended.how == "interrupted":
        raise ApiError(OVERLOADED, f"{ended.reason}, by somebody else", retry_after=1)


async def _told(
    comfy: Comfy, prompt_id: str, progression: Progression, messages: Messages | None
) -> AsyncIterator[Step | Preview | Saved | Ended]:
    """Everything until the prompt has ended, from the websocket as long as there is one.

    When nothing comes for a while, the prompt is asked after: a message may have been lost, or the engine.
    """
    while messages is not None:
        try:
            message = await messages.heard(_SILENCE_SECONDS)
        except HungUpError:
            break
        if message is None:
            if (await _standing(comfy, prompt_id))["status"] in _FINISHED:
                break
            continue
        for one in _read(progression, message):
            yield one
            if isinstance(one, Ended):
                return
    async for one in _polled(comfy, prompt_id):
        yield one


def _read(progression: Progression, message: str | bytes) -> list[Told]:
    try:
        return progression.feed(message)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ApiError(UPSTREAM_ERROR, f"the engine said what is no message: {error}") from error


async def _polled(comfy: Comfy, prompt_id: str) -> AsyncIterator[Step | Ended]:
    while True:
        job = await _standing(comfy, prompt_id)
        if job["status"] == "completed":
            yield Ended("success")
            return
        if job["status"] == "cancelled":
            yield Ended("interrupted", "the prompt was cancelled at the engine")
            return
        if job["status"] == "failed":
            told = job.get("execution_error")
            error = told if isinstance(told, dict) else {}
            kind = str(error.get("exception_type", ""))
            yield Ended(
                "error", f"{error.get('node_type', 'a node')}: {error.get('exception_message', 'failed')}", kind
            )
            return
        yield Step(0.0, "waiting in the engine's queue" if job["status"] == "pending" else "running")
        await asyncio.sleep(_POLL_SECONDS)


async def _standing(comfy: Comfy, prompt_id: str) -> Mapping[str, Any]:
    """How the prompt stands. Raises ApiError (503) where the engine has lost it: it was restarted."""
    job = await _again(lambda: comfy.job(prompt_id))
    if job is None:
        raise ApiError(NO_READY_SERVICE, "the engine was restarted and has lost the prompt", retry_after=2)
    return job


async def _outputs(comfy: Comfy, prompt_id: str) -> Mapping[str, Any]:
    """The outputs as the engine remembers them; nothing where it does not: what it said meanwhile has to do."""
    job = await comfy.job(prompt_id)
    outputs = job.get("outputs") if job else None
    return outputs if isinstance(outputs, dict) else {}


async def _again(look: Callable[[], Awaitable[T]]) -> T:
    """What a look tells; one that breaks off is taken once more, as it may have met an engine just being restarted."""
    try:
        return await look()
    except ApiError as error:
        if error.kind is not UPSTREAM_ERROR:
            raise
        await asyncio.sleep(_POLL_SECONDS)
        return await look()


async def _given_up(comfy: Comfy, prompt_id: str, submitting: "asyncio.Future[None]") -> None:
    """Cancel the prompt by its id, once it is certain to have arrived."""
    with suppress(ApiError):
        await submitting
    await comfy.cancel(prompt_id)


async def _bounded(work: Coroutine[Any, Any, None]) -> None:
    """Have something done, and wait a second for it at most; its failure is no one's."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait({task}, timeout=CANCEL_SECONDS)
