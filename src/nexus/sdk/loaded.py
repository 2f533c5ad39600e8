"""What an engine has loaded, by the id of the model."""

from typing import TypeVar

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.sdk.engine import Call

T = TypeVar("T")


class Loaded(dict[str, T]):
    """A dict that `load` puts into and `unload` pops from; calls that still run keep what they were given."""

    def of(self, call: Call) -> T:
        """What was loaded for the call's model. Raises ApiError (503) where it is unloaded meanwhile."""
        found = self.get(call.model.id)
        if found is None:
            raise ApiError(NO_READY_SERVICE, f"the model {call.model.id} is not loaded", retry_after=1)
        return found
