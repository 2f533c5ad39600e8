"""A leashed command: ends as it would, and at once when its owner is gone."""

import os
import signal
import subprocess
import sys

import psutil

from nexus.process import leash


def leashed(*command: str, lifeline: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", leash.__file__, str(lifeline), *command],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[lifeline],
        start_new_session=True,
    )


def test_the_commands_status_and_output_are_passed_on() -> None:
    read_end, write_end = os.pipe()
    with leashed(sys.executable, "-c", "print('said'); raise SystemExit(7)", lifeline=read_end) as process:
        assert process.communicate(timeout=20)[0] == "said\n"
    assert process.returncode == 7
    os.close(read_end)
    os.close(write_end)


def test_the_end_of_the_owner_ends_the_command_and_its_children() -> None:
    read_end, write_end = os.pipe()
    endless = "import time; print(1, flush=True); time.sleep(600)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {endless!r}])"
    with leashed(sys.executable, "-c", nested, lifeline=read_end) as process:
        assert process.stdout
        assert process.stdout.readline() == "1\n"
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 2
        os.close(write_end)
        assert process.wait(20) != 0
    assert psutil.wait_procs(family, timeout=10)[1] == []
    os.close(read_end)


def test_a_request_to_end_is_the_commands_to_heed() -> None:
    read_end, write_end = os.pipe()
    heeds = "import signal, sys; signal.signal(15, lambda *_: sys.exit(9)); print('up', flush=True); signal.pause()"
    with leashed(sys.executable, "-c", heeds, lifeline=read_end) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(20) == 9
    plain = "import signal; print('up', flush=True); signal.pause()"
    with leashed(sys.executable, "-c", plain, lifeline=read_end) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    os.close(read_end)
    os.close(write_end)


def test_a_command_that_is_not_there_is_told() -> None:
    read_end, write_end = os.pipe()
    process = subprocess.run(
        [sys.executable, "-I", leash.__file__, str(read_end), "/no/such"],
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[read_end],
        start_new_session=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (127, "/no/such: No such file or directory\n")
    os.close(read_end)
    os.close(write_end)
