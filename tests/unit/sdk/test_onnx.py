"""A real network is read and run. Needs onnxruntime, which only services have: run it in the environment of one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="services bring it, each in its own environment")

from nexus.sdk.onnx import open_session


def block(field: int, value: bytes) -> bytes:
    """A field of protobuf (onnx.proto3 of the ONNX project gives the numbers) of fewer than 128 bytes."""
    return bytes((field << 3 | 2, len(value))) + value


def doubling() -> bytes:
    """A network with one node: `y = x + x`, of numbers in one dimension."""
    shape = block(2, block(1, block(2, b"n")))
    kind = block(2, block(1, b"\x08\x01" + shape))
    node = block(1, block(1, b"x") + block(1, b"x") + block(2, b"y") + block(4, b"Add"))
    graph = node + block(2, b"g") + block(11, block(1, b"x") + kind) + block(12, block(1, b"y") + kind)
    return b"\x08\x08" + block(7, graph) + block(8, b"\x10\x0d")


@pytest.mark.parametrize("how", [{}, {"keep_memory": False, "quiet": True}])
def test_a_network_is_read_and_run(tmp_path: Path, how: dict[str, Any]) -> None:
    (tmp_path / "model.onnx").write_bytes(doubling())
    session = open_session(tmp_path / "model.onnx", 1, **how)
    assert session.run(None, {"x": np.array([1, 2], np.float32)})[0].tolist() == [2, 4]
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert (options.enable_cpu_mem_arena, options.log_severity_level) == (not how, 4 if how else 3)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no network at"):
        open_session(tmp_path / "model.onnx", 1)
    (tmp_path / "model.onnx").write_bytes(b"text")
    with pytest.raises(Exception, match=r"model\.onnx"):
        open_session(tmp_path / "model.onnx", 1)
