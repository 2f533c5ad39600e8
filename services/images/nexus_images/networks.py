"""onnxruntime's seam: a network read from a file, run so that it ends when its caller leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.sdk.engine import Call

Array = NDArray[np.float32]


class Network:
    """One ONNX network with one output."""

    def __init__(self, path: Path, threads: int) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"no network at {path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores are shared
        options.enable_cpu_mem_arena = False  # an arena keeps the memory of the largest picture ever drawn
        options.log_severity_level = 4  # a run that was ended is no error to log
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs: tuple[str, ...] = tuple(entry.name for entry in self._session.get_inputs())

    def run(self, feeds: Mapping[str, Array], running: "Running") -> Array:
        """The network's output. Raises ApiError when the call is cancelled, also while it computes."""
        try:
            output: Any = self._session.run(None, dict(feeds), running.options)[0]
        except Fail as error:
            if running.call.cancelled:
                raise ApiError(OVERLOADED, "the call was cancelled before its picture was complete") from error
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
