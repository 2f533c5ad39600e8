"""How long a subject takes to start."""

from bench.phases.bench import Bench, Found
from bench.site import NotReadyError


def measure_starts(bench: Bench, found: Found, upstream_port: int) -> None:
    """From the start of the process to its first good answer."""
    for _ in range(bench.plan.starts):
        for subject, program in found:
            try:
                running = bench.ground.start(subject, program, upstream_port)
            except NotReadyError as error:
                bench.ground.notes.append(str(error))
                continue
            bench.board.add(subject.name, "start", running.start_seconds)
            bench.ground.end(running)
