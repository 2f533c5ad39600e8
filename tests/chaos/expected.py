"""What must come of each fault: one table. The suite fails wherever the gateway does anything else.

`alone`: one instance has the model. `second`: another, sound instance has it too. `fallback`: nexus.yaml names another,
larger model. A speech whose bytes have begun cannot be begun anew, so that it breaks off in every setting. A picture is
not made twice because of an error that the service tells; a job whose run broke off is begun anew, elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.chaos.asking import Came, Kind

SETTINGS: Final = ("alone", "second", "fallback")
COLUMNS: Final = ("stream", "chat", "speech", "image", "transcription")

ATTEMPTS: Final = 3
"""`retries.max_attempts`: no fault makes a call cost more attempts, whoever is asked."""
RUNS: Final = 2
"""`jobs.max_attempts`: so often is a job begun whose run broke off."""
WAITING_ATTEMPTS: Final = 24
"""A job whose service says "not now" keeps its place until `jobs.max_wait`; it asks again every two seconds."""
CALL_SECONDS: Final = 14.0
"""`timeouts.total` and what a busy machine adds."""
JOB_SECONDS: Final = 45.0


@dataclass(frozen=True, slots=True)
class Expected:
    """How a call must end; an error of a job has no status."""

    kind: Kind
    status: int = 200
    code: str = ""

    def met(self, came: Came, operation: str) -> bool:
        """Whether that is what came."""
        if came.kind != self.kind:
            return False
        if self.kind in ("whole", "broken"):
            return True
        return came.code == self.code and (operation == "image" or came.status == self.status)

    def words(self, operation: str) -> str:
        """As the table has it."""
        match self.kind:
            case "whole":
                return "whole"
            case "in-band":
                return f"`{self.code}` event"
            case "broken":
                return "broken off"
        return f"job: `{self.code}`" if operation == "image" else f"{self.status} `{self.code}`"


WHOLE: Final = Expected("whole")
BROKEN: Final = Expected("broken")
CUT: Final = Expected("in-band", 200, "upstream_error")
CUT_LATE: Final = Expected("in-band", 200, "upstream_timeout")
CUT_OWN: Final = Expected("in-band", 200, "out_of_memory")
E502: Final = Expected("error", 502, "upstream_error")
E500: Final = Expected("error", 500, "internal_error")
E504: Final = Expected("error", 504, "upstream_timeout")
E429: Final = Expected("error", 429, "rate_limit_exceeded")
E503: Final = Expected("error", 503, "overloaded")
CONTEXT: Final = Expected("error", 400, "context_length_exceeded")
POLICY: Final = Expected("error", 400, "content_policy_violation")
EXPIRED: Final = Expected("error", 0, "job_expired")

Row = tuple[str, str, Expected | None, Expected | None, Expected | None, Expected | None, Expected | None]

# fmt: off
TABLE: Final[tuple[Row, ...]] = (
    # fault                  settings                 stream    chat      speech    image     transcription
    ("429-once",             "alone second fallback", WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("429-forever",          "alone",                 E429,     E429,     E429,     EXPIRED,  E429),
    ("429-forever",          "second fallback",       WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("500-once",             "alone second fallback", WHOLE,    WHOLE,    WHOLE,    E500,     WHOLE),
    ("503-forever",          "alone",                 E503,     E503,     E503,     EXPIRED,  E503),
    ("503-forever",          "second fallback",       WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("reset-before-headers", "alone",                 E502,     E502,     E502,     E502,     E502),
    ("reset-before-headers", "second fallback",       WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("never-answers",        "alone",                 E504,     E504,     E504,     E504,     E504),
    ("never-answers",        "second fallback",       WHOLE,    WHOLE,    WHOLE,    E504,     WHOLE),
    ("late-first-token",     "alone",                 E504,     E504,     E504,     WHOLE,    E504),
    ("late-first-token",     "second fallback",       WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("cut",                  "alone",                 CUT,      E502,     BROKEN,   E502,     E502),
    ("cut",                  "second fallback",       WHOLE,    WHOLE,    BROKEN,   WHOLE,    WHOLE),
    ("stalls",               "alone",                 CUT_LATE, E504,     BROKEN,   E504,     E504),
    ("stalls",               "second fallback",       WHOLE,    WHOLE,    BROKEN,   E504,     WHOLE),
    ("malformed-event",      "alone",                 CUT,      E502,     None,     E502,     E502),
    ("malformed-event",      "second fallback",       WHOLE,    WHOLE,    None,     WHOLE,    WHOLE),
    ("malformed-framing",    "alone",                 CUT,      E502,     BROKEN,   E502,     E502),
    ("malformed-framing",    "second fallback",       WHOLE,    WHOLE,    BROKEN,   WHOLE,    WHOLE),
    ("no-done",              "alone",                 WHOLE,    E502,     BROKEN,   E502,     E502),
    ("no-done",              "second fallback",       WHOLE,    WHOLE,    BROKEN,   WHOLE,    WHOLE),
    ("context-length",       "alone second",          CONTEXT,  CONTEXT,  CONTEXT,  CONTEXT,  CONTEXT),
    ("context-length",       "fallback",              WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("content-policy",       "alone second fallback", POLICY,   POLICY,   POLICY,   POLICY,   POLICY),
    ("cut-prefill-refused",  "second fallback",       CUT,      None,     None,     None,     None),
    ("cut-goes-on",          "second fallback",       WHOLE,    None,     None,     None,     None),
    ("length-longer",        "alone",                 WHOLE,    E502,     BROKEN,   E502,     E502),
    ("length-longer",        "second fallback",       WHOLE,    WHOLE,    BROKEN,   WHOLE,    WHOLE),
    ("64-mb",                "alone",                 CUT,      WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("64-mb",                "second fallback",       WHOLE,    None,     None,     None,     None),
    ("slow-drip",            "alone second fallback", WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("endless-drip",         "alone second fallback", CUT_LATE, E504,     BROKEN,   E504,     E504),
    ("half-close",           "alone",                 CUT,      E502,     BROKEN,   E502,     E502),
    ("half-close",           "second fallback",       WHOLE,    WHOLE,    BROKEN,   WHOLE,    WHOLE),
    ("reset-in-chunk",       "alone",                 CUT,      E502,     BROKEN,   E502,     E502),
    ("reset-in-chunk",       "second fallback",       WHOLE,    WHOLE,    BROKEN,   WHOLE,    WHOLE),
    ("endless-headers",      "alone",                 E502,     E502,     E502,     E502,     E502),
    ("endless-headers",      "second fallback",       WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("wrong-content-type",   "alone",                 E502,     E502,     E502,     E502,     E502),
    ("wrong-content-type",   "second fallback",       WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("200-with-error",       "alone",                 CUT_OWN,  E502,     E502,     E502,     E502),
    ("200-with-error",       "second fallback",       WHOLE,    WHOLE,    WHOLE,    WHOLE,    WHOLE),
    ("error-event",          "alone",                 CUT_OWN,  None,     None,     None,     None),
    ("error-event",          "second fallback",       WHOLE,    None,     None,     None,     None),
)
# fmt: on

ONCE: Final = ("context-length", "content-policy", "slow-drip")
"""These must not make the misbehaving model be asked a second time."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault, in one setting, met by one operation."""

    fault: str
    setting: str
    operation: str
    expected: Expected

    @property
    def model(self) -> str:
        """The name under which its fault is asked for, and no other cell's."""
        return f"{self.fault}--{self.operation}--{self.setting}"

    @property
    def most_attempts(self) -> int:
        """How many attempts services may see, all together."""
        if self.operation != "image":
            return ATTEMPTS
        return WAITING_ATTEMPTS if self.expected == EXPIRED else ATTEMPTS * RUNS

    @property
    def most_at_fault(self) -> int:
        """How many attempts may ask for the model itself."""
        return 1 if self.fault in ONCE else self.most_attempts

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return JOB_SECONDS if self.operation == "image" or self.fault == "64-mb" else CALL_SECONDS


def cells(setting: str) -> Iterator[Cell]:
    """The cells of a setting, in the table's order."""
    for fault, settings, *columns in TABLE:
        if setting in settings.split():
            for operation, expected in zip(COLUMNS, columns, strict=True):
                if expected is not None:
                    yield Cell(fault, setting, operation, expected)
