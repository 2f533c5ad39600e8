"""What a token may do and how much."""

from dataclasses import dataclass, field

from nexus.policies.budgets import Budgets
from nexus.policies.globs import Globs, everything
from nexus.policies.networks import Networks
from nexus.policies.parameters import Parameters


@dataclass(frozen=True)
class Policy:
    """`rpm` and `tpm`: requests and tokens in any minute; `concurrency`: calls at once; 0 is no bound, in bytes too.

    `models` are compared with models' own names, not with aliases that lead to them. `ip_allow`: where callers may
    come from; from everywhere where it is empty. `tools` are compared with the names that cards give them.
    `priority`: `interactive`, `normal` or `batch`, of calls that wait. `budgets` None: nothing is counted by the day
    or the month.
    """

    name: str
    rpm: int = 0
    tpm: int = 0
    concurrency: int = 0
    models: Globs = field(default_factory=everything)
    operations: Globs = field(default_factory=everything)
    ip_allow: Networks = ()
    max_request_bytes: int = 0
    parameters: Parameters = field(default_factory=Parameters)
    tools: Globs = field(default_factory=everything)
    priority: str = "interactive"
    budgets: Budgets | None = None

    narrows: bool = field(init=False, repr=False, compare=False)
    """Whether it leaves out any model, operation or tool."""
    counts: bool = field(init=False, repr=False, compare=False)
    """Whether there is anything to be counted of its calls."""
    spends: bool = field(init=False, repr=False, compare=False)
    """Whether tokens are counted of its calls."""
    restricts: bool = field(init=False, repr=False, compare=False)
    """Whether it says anything of what may be asked for, and not only of how much and from where."""
    is_free: bool = field(init=False, repr=False, compare=False)
    """Whether a call has whatever it asks for, and nothing of it is counted."""
    is_metered: bool = field(init=False, repr=False, compare=False)
    """Whether a call has whatever it asks for, and requests, tokens or calls at once are all that is counted."""

    def __post_init__(self) -> None:
        """Every call asks for these: they are no properties."""
        narrows = not (self.models.everything and self.operations.everything and self.tools.everything)
        restricts = narrows or bool(self.max_request_bytes) or bool(self.parameters)
        counts = bool(self.rpm or self.tpm or self.concurrency)
        object.__setattr__(self, "narrows", narrows)
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "spends", bool(self.tpm) or self.budgets is not None)
        object.__setattr__(self, "restricts", restricts)
        object.__setattr__(self, "is_free", not (counts or restricts or self.budgets))
        object.__setattr__(self, "is_metered", counts and not (restricts or self.budgets))


def nothing() -> Policy:
    """The policy of a token that is known no more: it may ask for nothing."""
    return Policy("none", operations=Globs(()))
