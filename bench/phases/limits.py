"""What it costs a caller's small requests that they are counted, at a subject that can do so."""

from functools import partial
from pathlib import Path

from bench.phases.bench import Bench, Found, with_cpu
from bench.quantiles import added, percent, ratio, standard_error
from bench.site import Running
from bench.subjects import Subject
from bench.workload import LIMITED_TOKEN, TOKEN


def measure_limits(bench: Bench, found: Found, upstream_port: int) -> None:
    """Small answers by wrk with a token that has limits, and with one that has none, at the same process by turns.

    Each round is a pair of neighbours, told as the part that the second is more or less than the first: between two
    processes, even of one program, there is more difference than what limits cost.
    """
    if bench.wrk is None:
        return
    for one in found:
        if one[0].limits:
            pairs = _pairs(bench, one, upstream_port)
            bench.board.add(one[0].name, "limits_error", percent(standard_error(pairs)))


def _pairs(bench: Bench, found: tuple[Subject, Path], upstream_port: int) -> list[float]:
    """What each pair told, over all starts."""
    pairs: list[float] = []
    for rounds in bench.plan.rounds_by_start():
        for one in bench.ground.one_by_one([found], upstream_port):
            bench.run_wrk(one.url, 1)
            pairs += [_pair(bench, one, number) for number in rounds]
    return pairs


def _pair(bench: Bench, one: Running, number: int) -> float:
    """Requests a second with limits: by what part more than without. Which of both comes first takes turns."""
    requests, core = {}, {}
    for token in (LIMITED_TOKEN, TOKEN) if number % 2 else (TOKEN, LIMITED_TOKEN):
        result, spent = with_cpu(one.child, partial(bench.run_wrk, one.url, bench.plan.seconds, token))
        if result.bad_status or result.broken:
            bench.ground.notes.append(f"{one.name}, limits: {result.bad_status + result.broken} requests failed")
        requests[token] = result.per_second
        core[token] = ratio(spent.seconds, result.requests)
    more, core_more = (ratio(added(each[LIMITED_TOKEN], each[TOKEN]), each[TOKEN]) for each in (requests, core))
    bench.say(f"limits {number + 1}/{bench.plan.rounds} {one.name}: {percent(more) or 0:+.1f} % requests/s")
    bench.board.add(one.name, "limits_requests", requests[LIMITED_TOKEN])
    bench.board.add(one.name, "limits_more", percent(more))
    bench.board.add(one.name, "limits_cpu", percent(core_more))
    return more or 0
