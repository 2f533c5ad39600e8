"""How far heartlib is, read from the bar that tqdm draws on stderr: there is no other way to learn it."""

import codecs
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

# A bar: " 12%|█▏        | 180/1500 [00:14<01:45, 12.50it/s]".
_BAR: Final = re.compile(r"\|\s*(\d+)/(\d+) \[")
_END: Final = re.compile(r"\r\n|\n|\r")
_TAIL_LINES: Final = 20
_LONGEST_LINE: Final = 4000


@dataclass(frozen=True, slots=True)
class Step:
    """So many of so many steps are done."""

    done: int
    total: int


@dataclass(slots=True)
class StderrReader:
    """Feed bytes as they come, in any cuts; get steps. `tail` has the last lines that are no bar: why it died."""

    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    _decode: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"), repr=False
    )
    _rest: str = ""

    def feed(self, data: bytes) -> list[Step]:
        """The steps that `data` completes. A bar is redrawn after a CR, so it ends with the next one or the line."""
        *lines, self._rest = _END.split(self._rest + self._decode.decode(data))
        self._rest = self._rest[-_LONGEST_LINE:]
        steps = []
        for line in lines:
            if bar := _BAR.search(line):
                steps.append(Step(int(bar[1]), int(bar[2])))
            elif line.strip():
                self.tail.append(line.strip()[:500])
        # tqdm writes "\r" and then the bar: what stands after the last CR is whole already
        if bar := _BAR.search(self._rest):
            steps.append(Step(int(bar[1]), int(bar[2])))
        return steps
