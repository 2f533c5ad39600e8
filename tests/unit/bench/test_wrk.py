"""What wrk printed, read back."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bench.wrk import WrkError, parse_output, write_script, wrk_argv

PRINTED = """Running 5s test @ http://127.0.0.1:8800/v1/chat/completions
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
Requests/sec:  20000.00
BENCH {"requests":100010,"microseconds":5000000,"p50":900,"p99":8330,"bad_status":10,"broken":3}
"""


def test_the_result_line_is_read_in_seconds_and_milliseconds() -> None:
    result = parse_output(PRINTED)
    assert (result.requests, result.seconds, result.p50_ms, result.p99_ms) == (100010, 5.0, 0.9, 8.33)
    assert (result.bad_status, result.broken) == (10, 3)
    assert result.per_second == 20000


def test_output_without_a_result_is_an_error_that_shows_it() -> None:
    with pytest.raises(WrkError, match="unable to connect"):
        parse_output("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_a_round_lasts_whole_seconds(tmp_path: Path) -> None:
    argv = wrk_argv(Path("wrk"), "http://h/", tmp_path / "s.lua", connections=32, seconds=0.3)
    assert "-d1s" in argv
    assert "-c32" in argv


@pytest.mark.skipif(shutil.which("luajit") is None and shutil.which("luac") is None, reason="no Lua compiler here")
def test_the_script_is_lua(tmp_path: Path) -> None:
    script = tmp_path / "s.lua"
    write_script(script, b'{"model": "bench", "text": "a \\"quoted\\" word"}', "sk-1")
    command = ["luac", "-p", script] if shutil.which("luac") else ["luajit", "-b", script, tmp_path / "out"]
    subprocess.run(command, check=True)


def test_the_script_carries_body_and_token(tmp_path: Path) -> None:
    script = tmp_path / "s.lua"
    write_script(script, b'{"a": 1}', "sk-1")
    text = script.read_text()
    assert 'wrk.body = "{\\"a\\": 1}"' in text
    assert "Bearer sk-1" in text
