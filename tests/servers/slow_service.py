"""The slow service, and what it wrote into its diary."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.servers.sdk_service import SdkService

FOLDER = Path(__file__).parent / "slow"


class SlowService(SdkService):
    """Its diary and its log lie in `state`."""

    def __init__(self, state: Path) -> None:
        self.diary = state / "diary.jsonl"
        self.diary.touch()
        super().__init__(FOLDER, state, SLOW_DIARY=str(self.diary))

    def entries(self) -> list[dict[str, Any]]:
        """What it wrote, in order."""
        return [json.loads(line) for line in self.diary.read_text().splitlines()]

    def count(self, what: str) -> Counter[str]:
        """How often it began, ended or gave up each prompt."""
        return Counter(entry["prompt"] for entry in self.entries() if entry["what"] == what)

    def most_at_once(self) -> int:
        """How many calls it ever ran at the same time."""
        running = most = 0
        for entry in self.entries():
            running += 1 if entry["what"] == "begin" else -1
            most = max(most, running)
        return most
