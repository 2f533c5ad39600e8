"""Stands in for torch where heartlib's stand-in and the worker use it; numpy does the little that there is to do."""

import numpy as np

bfloat16 = "torch.bfloat16"
float32 = "torch.float32"


class OutOfMemoryError(RuntimeError):
    pass


class device:  # noqa: N801 - torch calls it so
    def __init__(self, name: str) -> None:
        self.type = name.partition(":")[0]


class Tensor:
    def __init__(self, values: "np.ndarray") -> None:
        self.values = values

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> "Tensor":
        return self

    def float(self) -> "Tensor":
        return Tensor(self.values.astype(np.float32))

    def numpy(self) -> "np.ndarray":
        return self.values


class Generator:
    seed = 0


def manual_seed(seed: int) -> None:
    Generator.seed = seed
