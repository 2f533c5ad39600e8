"""Follows a service's answer to its end, as it comes and as the client takes it."""

from collections.abc import Callable

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.gateway.upstream.connection import Answer
from nexus.gateway.values import Client, LateError, Plan


class NoReaderError(ApiError):
    """The client takes nothing of its answer: the service has done nothing wrong."""


async def follow(answer: Answer, pass_on: Callable[[bytes], None], plan: Plan, client: Client) -> None:
    """Hand on the body as it comes and as the client takes it. Raises ApiError if it breaks off or stalls."""
    while True:
        data = answer.take()
        if data:
            pass_on(data)
        elif answer.failure:
            raise ApiError(UPSTREAM_ERROR, answer.failure)
        elif answer.complete:
            return
        if client.write_paused:
            answer.pause()
            client.expect_within(plan.timeouts.reader, "find a reader for its answer")
            try:
                await client.drain()
            except ApiError as error:
                raise NoReaderError(error.kind, error.message) from error
            finally:
                answer.proceed()  # also when the client leaves: an answer that is whole gives its connection back
        elif not (answer.complete or answer.failure):
            client.expect_within(plan.timeouts.idle, "go on with its answer")
            try:
                await answer
            except LateError as late:
                if not late.final:
                    answer.stall()  # the circuits hear of it
                raise
