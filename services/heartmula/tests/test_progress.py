"""tqdm's bar read as it is drawn."""

from nexus_heartmula.progress import StderrReader, Step

DRAWN = (
    "  0%|          | 0/1500 [00:00<?, ?it/s]\r 12%|█▏        | 180/1500 [00:14<01:45, 12.50it/s]"
    "\r100%|██████████| 1500/1500 [02:00<00:00, 12.50it/s]\n"
)


def steps(*pieces: bytes) -> list[Step]:
    reader = StderrReader()
    return [step for piece in pieces for step in reader.feed(piece)]


def test_a_bar_in_any_cuts() -> None:
    wanted = [Step(0, 1500), Step(180, 1500), Step(1500, 1500)]
    assert steps(DRAWN.encode()) == wanted
    one_by_one = steps(*(bytes([byte]) for byte in DRAWN.encode()))
    assert list(dict.fromkeys(one_by_one)) == wanted


def test_a_bar_counts_before_the_next_is_drawn() -> None:
    assert steps(b"\r  1%|1         | 15/1500 [00:01<01:45, 12.50it/s]") == [Step(15, 1500)]


def test_other_lines_are_kept_to_say_why_it_died() -> None:
    reader = StderrReader()
    reader.feed(DRAWN.encode() + b"Traceback (most recent call last):\nRuntimeError: no\n")
    assert list(reader.tail) == ["Traceback (most recent call last):", "RuntimeError: no"]
    reader.feed(b"x\n" * 100)
    assert len(reader.tail) == 20


def test_what_never_ends_is_bounded() -> None:
    reader = StderrReader()
    for _ in range(100):
        reader.feed(b"x" * 10_000)
    assert len(reader._rest) <= 14_000
