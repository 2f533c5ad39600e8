"""The suite's own eyes: what is not whole is never taken for whole, and the page is the table."""

from types import SimpleNamespace
from typing import Any

from tests.chaos import report
from tests.chaos.answers import PROMPT_TOKENS, TOKENS, answer
from tests.chaos.asking import Came, judge_stream
from tests.chaos.expected import BROKEN, CUT, E502, EXPIRED, WHOLE
from tests.chaos.proxy import Link
from tests.chaos.scenario import quantile
from tests.chaos.slope import slope
from tests.chaos.soak import Figures

BODY = answer("stream", "m").body


def chunks(tokens: tuple[str, ...] = TOKENS, reason: str | None = "stop", used: int | None = len(TOKENS)) -> list[Any]:
    """What the official client makes of a stream."""

    def chunk(**fields: Any) -> Any:
        return SimpleNamespace(**{"id": "a", "choices": [], "usage": None, **fields})

    def choice(content: str | None, role: str | None = None, reason: str | None = None) -> list[Any]:
        delta = SimpleNamespace(content=content, role=role)
        return [SimpleNamespace(delta=delta, finish_reason=reason)]

    words = [chunk(choices=choice(token, "assistant" if at == 0 else None)) for at, token in enumerate(tokens)]
    usage = SimpleNamespace(prompt_tokens=PROMPT_TOKENS, completion_tokens=used)
    return [*words, chunk(choices=choice(None, None, reason)), *([chunk(usage=usage)] if used else [])]


def test_a_stream_is_whole_only_if_everything_about_it_is() -> None:
    assert judge_stream(chunks(), None, BODY).kind == "whole"
    for wrong in (chunks(TOKENS[:40]), chunks(reason=None), chunks(used=20), chunks(used=None)):
        assert judge_stream(wrong, None, BODY).kind == "LIE"
    assert judge_stream(chunks(), None, BODY.removesuffix(b"data: [DONE]\n\n")).kind == "LIE"


def test_an_error_event_is_the_only_one_and_the_last_word() -> None:
    said: Any = SimpleNamespace(code="upstream_error", message="cut")
    event = b'data: {"error":{"message":"cut"}}\n\n'
    assert judge_stream([], said, event).kind == "in-band"
    assert judge_stream([], said, event + b"data: [DONE]\n\n").kind == "LIE"
    assert judge_stream([], said, event + event).kind == "LIE"


def test_what_is_expected_is_met_by_nothing_else() -> None:
    assert WHOLE.met(Came("whole"), "chat")
    assert not WHOLE.met(Came("LIE"), "chat")
    assert not CUT.met(Came("in-band", 200, "upstream_timeout"), "stream")
    assert not E502.met(Came("error", 504, "upstream_error"), "chat")
    assert E502.met(Came("error", 0, "upstream_error"), "image")
    assert EXPIRED.words("image") == "job: `job_expired`"
    assert BROKEN.words("speech") == "broken off"


def test_the_page_has_every_table_once_whatever_it_had_before() -> None:
    page = f"before\n{report.BEGIN}old{report.END}after\n"
    once = report.written(page, report.declared())
    assert once == report.written(once, report.declared())
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert once.count("| fault |") == 3
    assert "old" not in once


def test_the_page_of_the_repository_tells_what_must_be() -> None:
    page = report.PAGE.read_text()
    assert page == report.written(page, report.declared())


def test_a_line_through_points() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(0, 5), (1, 5)]) == slope([]) == slope([(3, 1)]) == 0


def test_a_soak_complains_of_what_is_lost_grows_or_leaks() -> None:
    def run(**fields: Any) -> list[str]:
        sound: dict[str, Any] = dict.fromkeys(Figures.__slots__, 0) | {"lost": {}}
        return Figures(**(sound | fields)).complaints

    assert run() == []
    assert len(run(lost={"cut": 2}, growth=0.2, files_second_half=100)) == 3


def test_quantiles_and_links() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([], 0.5) == float("inf")

    class Never:
        def random(self) -> float:
            return 0.5

    chance: Any = Never()
    assert Link(bandwidth=100).busy(50, chance) == 0.5
    assert Link(stalls=0.6, stall=2).busy(50, chance) == 2
    assert Link(latency=1, jitter=2).under_way(chance) == 2
