"""What the C library keeps goes back to the system."""

import ctypes
import sys

import psutil
import pytest

from nexus.sdk.memory import give_back

MEGABYTE = 1024 * 1024


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc keeps what is freed"
)
def test_freed_memory_goes_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    process = psutil.Process()
    size = 64 * 1024  # under the least that glibc maps for itself and gives back at once
    taken = [libc.malloc(size) for _ in range(1600)]
    for place in taken:
        ctypes.memset(place, 1, size)
    last = libc.malloc(size)  # above them all: only what lies at the end is given back by itself
    for place in taken:
        libc.free(place)
    before = process.memory_info().rss
    give_back()
    assert before - process.memory_info().rss > 80 * MEGABYTE
    libc.free(last)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_nothing_is_done(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", None)
    give_back()


def test_another_c_library_has_no_such_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    give_back()
