"""How long a subject takes to start."""

from bench.phases.bench import Bench, Found


def measure_starts(bench: Bench, found: Found, upstream_port: int) -> None:
    """From the start of the process to its first good answer."""
    for _ in range(bench.plan.starts):
        for running in bench.ground.one_by_one(found, upstream_port):
            bench.board.add(running.name, "start", running.start_seconds)
