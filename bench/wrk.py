"""Requests per second by wrk: the script it is given, its run, and what it printed read back."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import pinned

_MARK = "BENCH "

# wrk's summary as one line of JSON, so that no human-readable units have to be parsed. Times are microseconds.
_SCRIPT = """
wrk.method = "POST"
wrk.body = {body}
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer {token}"
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('BENCH {{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"bad_status":%d,"broken":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


class WrkError(RuntimeError):
    """wrk did not end well, or not one good answer came."""


@dataclass(frozen=True, slots=True)
class WrkResult:
    """One run: how much was answered, how fast, and how often it went wrong."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    bad_status: int
    broken: int

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return (self.requests - self.bad_status) / self.seconds if self.seconds else 0.0


def write_script(path: Path, body: bytes, token: str) -> None:
    """Write the Lua script that sends `body` with `token`."""
    path.write_text(_SCRIPT.format(body=json.dumps(body.decode()), token=token), encoding="utf-8")


def parse_output(text: str) -> WrkResult:
    """The result line in what wrk printed. Raises WrkError."""
    for line in text.splitlines():
        if line.startswith(_MARK):
            values = json.loads(line.removeprefix(_MARK))
            return WrkResult(
                requests=values["requests"],
                seconds=values["microseconds"] / 1e6,
                p50_ms=values["p50"] / 1000,
                p99_ms=values["p99"] / 1000,
                bad_status=values["bad_status"],
                broken=values["broken"],
            )
    raise WrkError(f"wrk printed no result: {text.strip()[-300:]!r}")


def wrk_argv(wrk: Path, url: str, script: Path, *, connections: int, seconds: float) -> Sequence[str]:
    """wrk's command line: one thread, `connections` kept busy for `seconds` (whole ones, at least 1)."""
    duration = f"{max(1, round(seconds))}s"
    return (str(wrk), "-t1", f"-c{connections}", f"-d{duration}", "--timeout", "10s", "-s", str(script), url)


def run_wrk(
    wrk: Path, url: str, script: Path, *, core: int | None, connections: int = 32, seconds: float = 5
) -> WrkResult:
    """Run wrk once on `core`. Raises WrkError."""
    argv = wrk_argv(wrk, url, script, connections=connections, seconds=seconds)
    with pinned(core):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = process.communicate(timeout=seconds + 60)
    except BaseException:  # also Ctrl-C: wrk must not outlive the run
        process.kill()
        process.wait()
        raise
    if process.returncode:
        raise WrkError(f"wrk ended with {process.returncode}: {output.strip()[-300:]!r}")
    return parse_output(output)
