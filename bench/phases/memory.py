"""Very many at once, and very many one after another: does all end well, and in how much memory?"""

import threading
import time

from bench.phases.bench import Bench, Found
from bench.phases.streams import note_broken, stream_load
from bench.processes import Child
from bench.site import Running
from bench.workload import stream_body

_MANY_TOKENS, _MANY_INTERVAL_MS = 20, 200.0
_SOAK_SLICE_SECONDS = 4.0
_SOAK_LIMIT_SECONDS = 180.0


def measure_many(bench: Bench, found: Found, upstream_port: int) -> None:
    """Many slow streams at once through a freshly started subject: do all end whole, and in how much memory?"""
    body = stream_body(_MANY_TOKENS, _MANY_INTERVAL_MS)
    for running in bench.ground.one_by_one(found, upstream_port):
        idle, name = running.child.rss_bytes(), running.name
        with _PeakMemory(running.child) as peak:
            result = stream_load(bench, running.url, body, streams=bench.plan.many, tokens=_MANY_TOKENS, ramp=1.0)
        bench.say(f"{bench.plan.many} streams {name}: {result['whole']} whole, {peak.bytes / 1e6:.0f} MB")
        bench.board.add(name, "many_whole", result["whole"])
        bench.board.add(name, "many_idle", idle / 1e6)
        bench.board.add(name, "many_peak", peak.bytes / 1e6)
        note_broken(bench, name, f"{bench.plan.many} streams at once", result)


def measure_soak(bench: Bench, found: Found, upstream_port: int) -> None:
    """Very many requests through one process: is its memory flat? Compared after a quarter of them and at the end."""
    if not bench.plan.soak or not bench.has_wrk():
        return
    for running in bench.ground.one_by_one(found, upstream_port):
        _soak(bench, running)


def _soak(bench: Bench, running: Running) -> None:
    done, early = 0, None
    began = time.monotonic()
    while done < bench.plan.soak and time.monotonic() - began < _SOAK_LIMIT_SECONDS:
        done += bench.run_wrk(running.url, _SOAK_SLICE_SECONDS).requests
        if early is None and done >= bench.plan.soak / 4:
            early = running.child.rss_bytes()
    late = running.child.rss_bytes()
    bench.say(f"soak {running.name}: {done:,} requests, {late / 1e6:.1f} MB")
    bench.board.add(running.name, "soak_requests", done)
    bench.board.add(running.name, "soak_early", early / 1e6 if early else None)
    bench.board.add(running.name, "soak_late", late / 1e6)


class _PeakMemory:
    """Samples a child's memory in a thread while the block runs; `bytes` is the largest seen."""

    def __init__(self, child: Child, every_seconds: float = 0.2) -> None:
        self.bytes = 0
        self._child = child
        self._every = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            self.bytes = max(self.bytes, self._child.rss_bytes())
