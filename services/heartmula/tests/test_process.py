"""The worker process with heartlib's stand-in: songs, progress, and everything that may go wrong with it."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nexus_heartmula.process import Settings, Watch, Worker
from nexus_heartmula.song import RATE, Song

from nexus.contract.errors import ApiError

SONG = Song("[Verse]\nla la", "piano,happy", 2000, 5)


class Told:
    """What a call hears, and whether its caller has left."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str]] = []
        self.left = threading.Event()

    @property
    def watch(self) -> Watch:
        return Watch(lambda fraction, words: self.heard.append((fraction, words)), self.left.is_set)


@pytest.fixture(scope="module")
def settings(environment: dict[str, str], checkpoint: Path) -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield Settings(sys.executable, checkpoint, "3B", "cpu", "cpu", True, 30)


@pytest.fixture(scope="module")
def worker(settings: Settings) -> Iterator[Worker]:
    worker = Worker(settings)
    yield worker
    worker.close()


@pytest.fixture
def own(settings: Settings) -> Iterator[Worker]:
    """A worker for a test that breaks it."""
    worker = Worker(settings)
    yield worker
    worker.close()


def sung(worker: Worker, song: Song = SONG, told: Told | None = None) -> "np.ndarray":
    return np.frombuffer(worker.sing(song, (told or Told()).watch), "<i2").reshape(-1, 2) / 32767


def test_a_song(worker: Worker, heartlib_log: Path) -> None:
    samples = sung(worker, replace(SONG, temperature=0.7, top_k=9, cfg_scale=2.0))
    assert samples.shape == (2 * RATE, 2)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.01)
    told = json.loads(heartlib_log.read_text().splitlines()[-1])
    assert (told["lyrics"], told["tags"], told["seed"]) == ("[verse]\nla la", "piano,happy", 5)
    assert (told["max_audio_length_ms"], told["temperature"], told["topk"], told["cfg_scale"]) == (2000, 0.7, 9, 2.0)
    assert told["device"] == {"mula": "cpu", "codec": "cpu"}
    assert told["dtype"] == {"mula": "torch.bfloat16", "codec": "torch.float32"}
    assert told["lazy_load"] is True


def test_the_seed_decides(worker: Worker) -> None:
    first, again, other = sung(worker), sung(worker), sung(worker, replace(SONG, seed=6))
    assert (first == again).all()
    assert (first != other).any()


def test_a_song_may_end_early(worker: Worker) -> None:
    assert len(sung(worker, replace(SONG, lyrics="brief"))) == pytest.approx(12 * 0.08 * RATE, abs=1)


def test_progress_is_the_bars(worker: Worker) -> None:
    told = Told()
    sung(worker, replace(SONG, lyrics="slow", milliseconds=800), told)
    fractions = [fraction for fraction, _ in told.heard]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert len({fraction for fraction in fractions if 0 < fraction < 1}) > 5
    assert any(words == "second 0 of at most 0" for _, words in told.heard)


def test_words_that_name_a_file_are_still_words(worker: Worker, heartlib_log: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    sung(worker, replace(SONG, lyrics=str(secret), tags=str(secret)))
    told = json.loads(heartlib_log.read_text().splitlines()[-1])
    assert (told["lyrics"], told["tags"]) == (str(secret).lower(), str(secret).lower())


def test_what_a_library_prints_disturbs_nothing(worker: Worker) -> None:
    assert len(sung(worker, replace(SONG, lyrics="chatty"))) == 2 * RATE


@pytest.mark.parametrize(
    ("lyrics", "status", "reason"),
    [
        ("memory", 503, "not enough memory for this song: CUDA out of memory"),
        ("refuse", 502, "heartlib failed: RuntimeError: probability tensor"),
        ("silent", 502, "ended without a song"),
    ],
)
def test_failures_are_told_and_the_worker_goes_on(worker: Worker, lyrics: str, status: int, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        sung(worker, replace(SONG, lyrics=lyrics))
    assert caught.value.status == status
    assert len(sung(worker)) == 2 * RATE


def leaving(told: Told, when: Callable[[], bool]) -> threading.Thread:
    def leave() -> None:
        while not when():
            time.sleep(0.01)
        told.left.set()

    thread = threading.Thread(target=leave)
    thread.start()
    return thread


def test_a_cancelled_song_is_broken_off_and_the_model_stays(worker: Worker) -> None:
    told = Told()
    leaver = leaving(told, lambda: any(0 < fraction < 1 for fraction, _ in told.heard))
    with pytest.raises(ApiError, match=r"cancelled"):
        sung(worker, replace(SONG, lyrics="slow", milliseconds=60_000), told)
    ended = time.monotonic()
    leaver.join()
    assert worker.alive
    assert len(sung(worker)) == 2 * RATE
    assert time.monotonic() - ended < 1  # it was free at once, and had not to read the model again


def test_a_worker_that_does_not_heed_is_killed_within_a_second(own: Worker, heartlib_log: Path) -> None:
    told = Told()
    before = len(heartlib_log.read_text().splitlines())
    left: list[float] = []

    def begun() -> bool:
        if len(heartlib_log.read_text().splitlines()) == before:
            return False
        left.append(time.monotonic())
        return True

    leaving(told, begun)
    with pytest.raises(ApiError, match=r"cancelled"):
        sung(own, replace(SONG, lyrics="stubborn"), told)
    assert time.monotonic() - left[0] < 1
    assert not own.alive


def test_a_death_is_told_with_its_last_words(own: Worker) -> None:
    with pytest.raises(ApiError, match=r"worker has died: exit status 139 / .*Segmentation fault") as caught:
        sung(own, replace(SONG, lyrics="crash"))
    assert caught.value.status == 502
    assert not own.alive
    with pytest.raises(ApiError, match=r"ended|died"):
        sung(own)


def test_it_dies_with_the_service(settings: Settings) -> None:
    worker = Worker(settings)
    assert worker._process.stdin
    worker._process.stdin.close()  # what the system does for a service that is killed
    assert worker._process.wait(5) == 0
    worker.close()


def test_a_model_that_cannot_be_read(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"heartlib failed: FileNotFoundError: Expected to find checkpoint"):
        Worker(replace(settings, checkpoint=tmp_path))
    (tmp_path / "HeartMuLa-oss-3B").mkdir()
    (tmp_path / "HeartMuLa-oss-3B" / "broken").touch()
    with pytest.raises(RuntimeError, match=r"loading state_dict"):
        Worker(replace(settings, checkpoint=tmp_path))
    (tmp_path / "HeartMuLa-oss-3B" / "slow").touch()
    with pytest.raises(RuntimeError, match=r"not read within 0\.1 s"):
        Worker(replace(settings, checkpoint=tmp_path, load_seconds=0.1))


def test_without_heartlib(settings: Settings) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.devnull)
        with pytest.raises(RuntimeError, match=r"No module named '(torch|heartlib)'"):
            Worker(settings)
