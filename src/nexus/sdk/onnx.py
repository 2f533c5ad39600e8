"""Networks in ONNX files, on cores that are shared: how services set up onnxruntime, which each of them brings itself.

A service that uses it lists `onnxruntime` among its requirements.
"""

from pathlib import Path
from typing import Any

import onnxruntime


def open_session(path: Path, threads: int, *, keep_memory: bool = True, quiet: bool = False) -> Any:
    """An `InferenceSession` of the network in the file, on the CPU.

    Without `keep_memory` what a run took is given back after it: about a tenth slower, and right where some inputs are
    much larger than others. `quiet` leaves out of the log what a run that was ended on purpose says. Raises
    FileNotFoundError, and what onnxruntime raises for a file that it cannot read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no network at {path}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait take no core
    options.enable_cpu_mem_arena = keep_memory
    options.log_severity_level = 4 if quiet else 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
