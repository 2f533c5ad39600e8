"""Ollama's progress of a pull, line by line."""

from collections.abc import AsyncGenerator
from typing import Any

from nexus.sdk.upstream import Upstream
from nexus_ollama.errors import broken
from nexus_ollama.steps import read_line


async def pull(upstream: Upstream, name: str) -> AsyncGenerator[dict[str, Any], None]:
    """The progress, in bytes where a layer comes. Raises ApiError, also where it ends without `success`.

    A pull that is broken off goes on where it was when it is asked for again: Ollama keeps what has come.
    """
    succeeded = False
    async with upstream.stream("POST", "/api/pull", json={"model": name, "stream": True}) as response:
        async for line in response.lines():
            if not line.strip():
                continue
            value = read_line(line)
            total = value.get("total")
            # Go leaves out what is 0, so `completed` is missing until the first bytes are there.
            completed = value.get("completed", 0 if total is not None else None)
            status = str(value.get("status", ""))
            succeeded = succeeded or status == "success"
            yield {"status": status, "completed": completed, "total": total, "digest": value.get("digest")}
    if not succeeded:
        raise broken("the pull broke off; ask for it again, and it goes on where it was")
