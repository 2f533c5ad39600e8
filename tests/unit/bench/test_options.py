"""The command line of a run."""

import pytest

from bench.options import read_arguments


def test_the_full_run_soaks_and_the_quick_one_does_not() -> None:
    assert read_arguments([]).soak == 200_000
    quick = read_arguments(["--quick", "--only", "nginx", "nexus"])
    assert (quick.soak, quick.seconds, quick.only) == (0, 2, ("nginx", "nexus"))
    assert read_arguments(["--quick", "--soak", "500", "--seconds", "1"]).soak == 500


def test_rounds_are_spread_over_starts_and_phases_are_all_unless_some_are_named() -> None:
    assert (read_arguments([]).starts, read_arguments(["--quick"]).starts) == (3, 1)
    asked = read_arguments(["--starts", "20", "--phases", "requests", "limits"])
    assert (asked.starts, asked.phases) == (20, ("requests", "limits"))
    assert read_arguments([]).phases == ()


@pytest.mark.parametrize(("rounds", "starts"), [(5, 3), (20, 20), (2, 3), (100, 7), (1, 1)])
def test_every_round_is_one_starts_and_no_start_is_for_nothing(rounds: int, starts: int) -> None:
    shares = read_arguments(["--rounds", str(rounds), "--starts", str(starts)]).rounds_by_start()
    assert [number for share in shares for number in share] == list(range(rounds))
    assert len(shares) == min(rounds, starts)
    assert all(len(share) >= rounds // starts for share in shares)


def test_a_wrong_word_ends_with_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(["--fast"])
    assert "--quick" in capsys.readouterr().err
