"""The failures of what is done again and again beside the request path: each is told in the log once."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from nexus.contract.errors import ApiError
from nexus.gateway.log import Log
from nexus.store.errors import StoreError


class ToldOnce:
    """`event` is what the log calls such a failure."""

    def __init__(self, log: Log, event: str) -> None:
        self._log = log
        self._event = event
        self._told = ""  # of the last failure, until there is another or none

    @contextmanager
    def trying(self) -> Iterator[None]:
        """What fails inside is told, and ends nothing."""
        try:
            yield
        except (StoreError, ApiError) as error:
            self.tell(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is: what is done again must go on once it has passed
            self.tell(repr(error), trace=traceback.format_exc())
        else:
            self._told = ""

    def tell(self, reason: str, **more: str) -> None:
        """It failed, for this reason."""
        if reason != self._told:
            self._log("error", self._event, reason=reason, **more)
        self._told = reason
