"""Runs every cell of the table: each has a model and instances of its own, so that no circuit is another one's."""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos.asking import Asker, Came
from tests.chaos.expected import RUNS, Cell, cells
from tests.chaos.faults import LARGER
from tests.chaos.fleet import Fleet
from tests.servers.gateway import Gateway
from tests.servers.raw import wait_until

AT_ONCE: Final = 48
HEAVY: Final = ("64-mb", "endless-headers")
"""These keep the machine busy: one at a time, once the others are through."""
CALLER: Final = "sk-chaos-0123456789abcdef0123456789abcdef"
_SETTLE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a cell, and how many attempts were seen: for its model, and for the larger one besides."""

    cell: Cell
    came: Came
    at_fault: int
    elsewhere: int

    @property
    def complaints(self) -> list[str]:
        """What is not as the table says; empty where all is well."""
        cell, came = self.cell, self.came
        found = []
        if not cell.expected.met(came, cell.operation):
            got = f"{came.kind} {came.status} {came.code}".rstrip()
            found.append(f"expected {cell.expected.words(cell.operation)}, got {got} ({came.told[:300]})")
        if self.at_fault > cell.most_at_fault or self.at_fault + self.elsewhere > cell.most_attempts:
            found.append(
                f"{self.at_fault}+{self.elsewhere} attempts, at most {cell.most_at_fault}/{cell.most_attempts}"
            )
        if came.seconds > cell.seconds:
            found.append(f"{came.seconds:.1f} s, at most {cell.seconds:g} s")
        if "PREFILL-REFUSED" in came.told:
            found.append("the refusal of a prefill was told to the caller")
        return found


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What a gateway is like once all cells of a setting are through."""

    complaints: tuple[str, ...]


def config(setting: str, fallbacks: dict[str, list[str]]) -> str:
    """The nexus.yaml of a setting; JSON is YAML. What is large takes its time where other programs are busy too."""
    long = {"first_byte": 20, "idle": 20, "total": 40}
    value = {
        "timeouts": {
            "connect": 1,
            "first_byte": 3,
            "idle": 2,
            "total": 11,
            "models": {name: long for name in fallbacks if name.startswith("64-mb")},
        },
        "retries": {"max_attempts": 3, "budget_ratio": 1.0},
        "stream_recovery": "resume",
        "jobs": {"timeout": 12, "max_wait": 4, "max_attempts": RUNS},
        "policies": {"default": {"concurrency": AT_ONCE}},
        "tokens": [{"name": "chaos", "sha256": hashlib.sha256(CALLER.encode()).hexdigest()}],
    }
    return json.dumps(value | ({"fallbacks": fallbacks} if setting == "fallback" else {}))


def run_setting(setting: str, folder: Path) -> tuple[list[Result], Aftermath]:
    """All cells of one setting, before one gateway."""
    asked = list(cells(setting))
    with Fleet() as fleet:
        held = f"held--{AT_ONCE}"
        for cell in asked:
            fleet.add(cell.fault, [cell.model])
            if setting == "second":
                fleet.add(cell.fault, [cell.model])
        larger = {cell.model: [f"{cell.model}--{LARGER}"] for cell in asked}
        fleet.add("sound", [held, *(names[0] for names in larger.values())])
        (folder / "nexus.yaml").write_text(config(setting, larger))
        quiet = {"NEXUS_HEALTH_INTERVAL": "5", "NEXUS_DISCOVERY_INTERVAL": "5"}
        with Gateway(folder, fleet.urls, quiet) as gateway:
            wait_until(lambda: _all_ready(gateway, len(fleet.urls)), 30)
            gateway.wait_for_storage()
            before = gateway.rss_bytes()
            results = asyncio.run(_run_cells(gateway, fleet, asked))
            return results, aftermath(gateway, fleet, held, before)


def _all_ready(gateway: Gateway, count: int) -> bool:
    instances = gateway.instances()
    return len(instances) == count and all(instance["state"] == "ready" for instance in instances)


async def _run_cells(gateway: Gateway, fleet: Fleet, asked: list[Cell]) -> list[Result]:
    room = asyncio.Semaphore(AT_ONCE)
    async with Asker(gateway.url, CALLER) as asker:

        async def run(cell: Cell) -> Result:
            async with room:
                came = await asker.ask(cell.operation, cell.model, f"cell-{cell.model}")
            attempts = fleet.book.attempts
            return Result(cell, came, attempts[cell.model], attempts[f"{cell.model}--{LARGER}"])

        heavy = [cell for cell in asked if cell.fault in HEAVY]
        light = sorted(set(asked) - set(heavy), key=lambda cell: cell.operation != "image")  # jobs mostly wait
        results = await asyncio.gather(*map(run, light))
        results += [await run(cell) for cell in heavy]
    return sorted(results, key=lambda result: asked.index(result.cell))


def aftermath(gateway: Gateway, fleet: Fleet, held: str, before: int) -> Aftermath:
    """Is it well, is nothing in flight, has every slot been given back, has the memory been?"""
    found = []
    for path in ("/health", "/readyz", "/v1/models", "/metrics"):
        answer = gateway.get(path)
        if answer.status != 200:
            found.append(f"{path} answers {answer.status}")
    try:
        wait_until(lambda: _in_flight(gateway) == 0, _SETTLE_SECONDS)
    except AssertionError:
        found.append(f"{_in_flight(gateway)} calls are in flight by the metrics though nobody asks")
    came = asyncio.run(_all_at_once(gateway, held))
    refused = [one for one in came if one.kind != "whole"]
    if refused:
        found.append(f"{len(refused)} of {AT_ONCE} slots were not given back: {refused[0].told}")
    grown = (gateway.rss_bytes() - before) // 1_000_000
    if grown > 400:
        found.append(f"{grown} MB of memory more than before")
    if fleet.book.held[held] != AT_ONCE:
        found.append(f"{fleet.book.held[held]} of {AT_ONCE} calls came through at once")
    return Aftermath(tuple(found))


def _in_flight(gateway: Gateway) -> int:
    lines = gateway.get("/metrics").body.decode().splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith("nexus_in_flight{"))


async def _all_at_once(gateway: Gateway, held: str) -> list[Came]:
    """As many calls as the caller has slots, all of them open at the same time: one that leaked would be missed."""
    async with Asker(gateway.url, CALLER) as asker:
        return await asyncio.gather(*(asker.ask("chat", held, f"held-{number}") for number in range(AT_ONCE)))
