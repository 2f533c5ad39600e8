"""Memory that the C library keeps, given back to the system."""

import ctypes
import sys


def give_back() -> None:
    """Have freed memory returned to the system, for after a model is unloaded.

    glibc keeps what is freed to hand it out again: 131 MB after one page was read by OCR and its model unloaded. Where
    there is no glibc, nothing is done, and nothing has to be.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
