"""What it costs a caller's small requests that they are counted, at a subject that can do so."""

from functools import partial

from bench.phases.bench import Bench, Found, with_cpu
from bench.quantiles import added, percent, ratio, standard_error
from bench.site import Running
from bench.workload import LIMITED_TOKEN, TOKEN


def measure_limits(bench: Bench, found: Found, upstream_port: int) -> None:
    """Small answers by wrk with a token that has limits, and with one that has none, at the same process by turns.

    Each round is a pair, told as the part by which the figure with limits is more or less than the one without: two
    processes, even of one program, differ by more than what limits cost.
    """
    if not bench.has_wrk():
        return
    limited = [one for one in found if one[0].limits]
    for rounds in bench.plan.rounds_by_start():
        for one in bench.ground.one_by_one(limited, upstream_port):
            bench.run_wrk(one.url, 1)
            for number in rounds:
                _measure_pair(bench, one, number)
    for subject, _ in limited:
        error = standard_error(bench.board.samples(subject.name, "limits_more"))
        bench.board.add(subject.name, "limits_error", error)


def _measure_pair(bench: Bench, one: Running, number: int) -> None:
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
