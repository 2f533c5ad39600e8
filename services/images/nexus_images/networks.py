"""onnxruntime's seam: a network read from a file, run so that it ends when its caller leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from nexus.sdk.engine import Call
from nexus.sdk.onnx import open_session

Array = NDArray[np.float32]


class Network:
    """One ONNX network with one output."""

    def __init__(self, path: Path, threads: int) -> None:
        # The memory of the largest picture ever drawn is not kept, and a run that was ended is no error to log.
        self._session = open_session(path, threads, keep_memory=False, quiet=True)
        self.inputs: tuple[str, ...] = tuple(entry.name for entry in self._session.get_inputs())

    def run(self, feeds: Mapping[str, Array], running: "Running") -> Array:
        """The network's output. Raises ApiError when the call is cancelled, also while it computes."""
        try:
            output: Any = self._session.run(None, dict(feeds), running.options)[0]
        except Fail:
            running.call.go_on()  # else it was ended, and nothing has failed
            raise
        return np.asarray(output, np.float32)


class Running:
    """What the runs made for one call share: all of them end when it is cancelled."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.options = onnxruntime.RunOptions()
        call.on_cancel(self._end)

    def _end(self) -> None:
        self.options.terminate = True
