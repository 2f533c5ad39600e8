"""Streams: what a token's way costs in time, and how many tokens a subject can carry."""

import json
import subprocess
import sys
from functools import partial
from typing import Any

from bench.board import DIRECT
from bench.machine import pinned
from bench.phases.bench import Bench, Found, with_cpu
from bench.quantiles import added, ratio
from bench.workload import PATH, TOKEN, stream_body

_PACED_STREAMS, _PACED_TOKENS, _PACED_INTERVAL_MS = 32, 40, 20.0
_SATURATED_STREAMS = 32


def measure_streams(bench: Bench, found: Found, upstream_port: int) -> None:
    """Paced streams for what a token's way costs in time; saturated ones for what the subject can carry."""
    direct_url = f"http://127.0.0.1:{upstream_port}{PATH}"
    repeat = max(1, round(bench.plan.seconds * 1000 / (_PACED_TOKENS * _PACED_INTERVAL_MS)))
    with bench.ground.all_of(found, upstream_port) as subjects:
        for number in range(bench.plan.rounds):
            direct, paced = _paced(bench, direct_url, repeat), {}
            for one in subjects:
                result, spent = with_cpu(one.child, partial(_paced, bench, one.url, repeat))
                bench.board.add(one.name, "token_cpu", ratio(spent.seconds * 1e6, result["tokens"]))
                bench.board.add(one.name, "first", added(result["first_p50_ms"], direct["first_p50_ms"]))
                bench.board.add(one.name, "between", added(result["delay_p50_ms"], direct["delay_p50_ms"]))
                bench.board.add(one.name, "between_p99", added(result["delay_p99_ms"], direct["delay_p99_ms"]))
                paced[one.name] = result
            bench.board.add(DIRECT, "relay", _rate(_saturated(bench, direct_url)))
            for one in subjects:
                result, spent = with_cpu(one.child, partial(_saturated, bench, one.url))
                bench.say(f"streams {number + 1}/{bench.plan.rounds} {one.name}: {_rate(result):,.0f} tokens/s")
                bench.board.add(one.name, "relay", _rate(result))
                bench.board.add(one.name, "relay_cpu", spent.percent)
                bench.board.add(one.name, "broken", paced[one.name]["broken"] + result["broken"])
                note_broken(bench, one.name, "paced streams", paced[one.name])
                note_broken(bench, one.name, "saturated streams", result)


def _paced(bench: Bench, url: str, repeat: int) -> dict[str, Any]:
    body = stream_body(_PACED_TOKENS, _PACED_INTERVAL_MS)
    return stream_load(
        bench, url, body, streams=_PACED_STREAMS, tokens=_PACED_TOKENS, repeat=repeat, ramp=0.4, timed=True
    )


def _saturated(bench: Bench, url: str) -> dict[str, Any]:
    tokens = round(1500 * bench.plan.seconds)
    return stream_load(bench, url, stream_body(tokens, 0), streams=_SATURATED_STREAMS, tokens=tokens)


def note_broken(bench: Bench, name: str, what: str, result: dict[str, Any]) -> None:
    if result["broken"]:
        bench.ground.notes.append(f"{name}, {what}: {result['reasons']}")


def _rate(result: dict[str, Any]) -> float:
    return float(result["tokens"] / result["seconds"])


def stream_load(
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
