"""The measurements themselves, each over all subjects in interleaved rounds, so that a noisy minute hits everyone."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench.board import DIRECT, Board
from bench.machine import Cores, pinned
from bench.options import Plan
from bench.processes import Child
from bench.quantiles import added, ratio
from bench.site import Ground, NotReadyError, Running
from bench.subjects import Subject
from bench.workload import PATH, TOKEN, chat_body, stream_body
from bench.wrk import WrkResult, run_wrk, write_script

T = TypeVar("T")
Found = Sequence[tuple[Subject, Path]]

_PACED_STREAMS, _PACED_TOKENS, _PACED_INTERVAL_MS = 32, 40, 20.0
_SATURATED_STREAMS = 32
_MANY_TOKENS, _MANY_INTERVAL_MS = 20, 200.0
_SOAK_SLICE_SECONDS = 4.0
_SOAK_LIMIT_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that a phase works with."""

    plan: Plan
    ground: Ground
    board: Board
    cores: Cores
    wrk: Path | None
    folder: Path

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def run_wrk(self, url: str, seconds: float) -> WrkResult:
        assert self.wrk is not None
        script = self.folder / "chat.lua"
        write_script(script, chat_body(), TOKEN)
        return run_wrk(self.wrk, url, script, core=self.cores.load, connections=self.plan.connections, seconds=seconds)


def measure_starts(bench: Bench, found: Found, upstream_port: int) -> None:
    """From the start of the process to its first good answer."""
    for _ in range(bench.plan.starts):
        for subject, program in found:
            try:
                running = bench.ground.start(subject, program, upstream_port)
            except NotReadyError as error:
                bench.ground.notes.append(str(error))
                continue
            bench.board.add(subject.name, "start", running.start_seconds)
            bench.ground.end(running)


def measure_requests(bench: Bench, found: Found, upstream_port: int) -> None:
    """Small answers by wrk: throughput, latency, and how busy the subject's core was (is it the limit?)."""
    if bench.wrk is None:
        bench.ground.notes.append("no wrk: requests/s were not measured (apt-get install wrk)")
        return
    with bench.ground.all_of(found, upstream_port) as subjects:
        for one in subjects:
            bench.run_wrk(one.url, 1)
        for number in range(bench.plan.rounds):
            direct = bench.run_wrk(f"http://127.0.0.1:{upstream_port}{PATH}", min(2.0, bench.plan.seconds))
            bench.board.add(DIRECT, "requests", direct.per_second)
            for one in subjects:
                result, spent = _with_cpu(one.child, partial(bench.run_wrk, one.url, bench.plan.seconds))
                bench.say(f"requests {number + 1}/{bench.plan.rounds} {one.name}: {result.per_second:,.0f}/s")
                for key, value in (
                    ("requests", result.per_second),
                    ("p50", result.p50_ms),
                    ("p99", result.p99_ms),
                    ("cpu", spent.percent),
                    ("cpu_each", ratio(spent.seconds * 1e6, result.requests)),
                    ("failed", result.bad_status + result.broken),
                ):
                    bench.board.add(one.name, key, value)


def measure_streams(bench: Bench, found: Found, upstream_port: int) -> None:
    """Paced streams for what a token's way costs in time; saturated ones for what the subject can carry."""
    direct_url = f"http://127.0.0.1:{upstream_port}{PATH}"
    repeat = max(1, round(bench.plan.seconds * 1000 / (_PACED_TOKENS * _PACED_INTERVAL_MS)))
    with bench.ground.all_of(found, upstream_port) as subjects:
        for number in range(bench.plan.rounds):
            direct, paced = _paced(bench, direct_url, repeat), {}
            for one in subjects:
                result, spent = _with_cpu(one.child, partial(_paced, bench, one.url, repeat))
                bench.board.add(one.name, "token_cpu", ratio(spent.seconds * 1e6, result["tokens"]))
                bench.board.add(one.name, "first", added(result["first_p50_ms"], direct["first_p50_ms"]))
                bench.board.add(one.name, "between", added(result["delay_p50_ms"], direct["delay_p50_ms"]))
                bench.board.add(one.name, "between_p99", added(result["delay_p99_ms"], direct["delay_p99_ms"]))
                paced[one.name] = result
            bench.board.add(DIRECT, "relay", _rate(_saturated(bench, direct_url)))
            for one in subjects:
                result, spent = _with_cpu(one.child, partial(_saturated, bench, one.url))
                bench.say(f"streams {number + 1}/{bench.plan.rounds} {one.name}: {_rate(result):,.0f} tokens/s")
                bench.board.add(one.name, "relay", _rate(result))
                bench.board.add(one.name, "relay_cpu", spent.percent)
                bench.board.add(one.name, "broken", paced[one.name]["broken"] + result["broken"])
                _note_broken(bench, one.name, "paced streams", paced[one.name])
                _note_broken(bench, one.name, "saturated streams", result)


def measure_many(bench: Bench, found: Found, upstream_port: int) -> None:
    """Many slow streams at once through a freshly started subject: do all end whole, and in how much memory?"""
    body = stream_body(_MANY_TOKENS, _MANY_INTERVAL_MS)
    for subject, program in found:
        try:
            running = bench.ground.start(subject, program, upstream_port)
        except NotReadyError as error:
            bench.ground.notes.append(str(error))
            continue
        idle = running.child.rss_bytes()
        with _PeakMemory(running.child) as peak:
            result = _stream_load(bench, running.url, body, streams=bench.plan.many, tokens=_MANY_TOKENS, ramp=1.0)
        bench.say(f"{bench.plan.many} streams {subject.name}: {result['whole']} whole, {peak.bytes / 1e6:.0f} MB")
        bench.board.add(subject.name, "many_whole", result["whole"])
        bench.board.add(subject.name, "many_idle", idle / 1e6)
        bench.board.add(subject.name, "many_peak", peak.bytes / 1e6)
        _note_broken(bench, subject.name, f"{bench.plan.many} streams at once", result)
        bench.ground.end(running)


def measure_soak(bench: Bench, found: Found, upstream_port: int) -> None:
    """Very many requests through one process: is its memory flat? Compared after a quarter of them and at the end."""
    if bench.wrk is None or not bench.plan.soak:
        return
    for subject, program in found:
        try:
            running = bench.ground.start(subject, program, upstream_port)
        except NotReadyError as error:
            bench.ground.notes.append(str(error))
            continue
        _soak(bench, running)
        bench.ground.end(running)


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


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor time that a subject used, in seconds, and as a part of one core."""

    seconds: float
    percent: float


def _with_cpu(child: Child, work: Callable[[], T]) -> tuple[T, Spent]:
    """What `work` returns, and what `child` used meanwhile."""
    began, used = time.perf_counter(), child.cpu_seconds()
    result = work()
    seconds = child.cpu_seconds() - used
    return result, Spent(seconds, 100 * seconds / (time.perf_counter() - began))


def _paced(bench: Bench, url: str, repeat: int) -> dict[str, Any]:
    body = stream_body(_PACED_TOKENS, _PACED_INTERVAL_MS)
    return _stream_load(
        bench, url, body, streams=_PACED_STREAMS, tokens=_PACED_TOKENS, repeat=repeat, ramp=0.4, timed=True
    )


def _saturated(bench: Bench, url: str) -> dict[str, Any]:
    tokens = round(1500 * bench.plan.seconds)
    return _stream_load(bench, url, stream_body(tokens, 0), streams=_SATURATED_STREAMS, tokens=tokens)


def _note_broken(bench: Bench, name: str, what: str, result: dict[str, Any]) -> None:
    if result["broken"]:
        bench.ground.notes.append(f"{name}, {what}: {result['reasons']}")


def _rate(result: dict[str, Any]) -> float:
    return float(result["tokens"] / result["seconds"])


def _stream_load(
    bench: Bench,
    url: str,
    body: bytes,
    *,
    streams: int,
    tokens: int,
    repeat: int = 1,
    ramp: float = 0.0,
    timed: bool = False,
) -> dict[str, Any]:
    """Run the stream client in a process of its own on the load core; returns its summary."""
    argv = [
        *(sys.executable, "-m", "bench.stream_client", "--url", url, "--token", TOKEN, "--body", body.decode()),
        *("--streams", str(streams), "--tokens", str(tokens), "--repeat", str(repeat), "--ramp", str(ramp)),
        *(("--timed",) if timed else ()),
    ]
    with pinned(bench.cores.load):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        output, _ = process.communicate()
    except BaseException:  # also Ctrl-C: the client must not outlive the run
        process.kill()
        process.wait()
        raise
    if process.returncode:
        raise RuntimeError(f"the stream client ended with {process.returncode} at {url}")
    result: dict[str, Any] = json.loads(output)
    return result
