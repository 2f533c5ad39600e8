"""What a token may do and how much."""

from dataclasses import dataclass, field, replace
from functools import cached_property

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

    @cached_property
    def narrows(self) -> bool:
        """Whether it leaves out any model, operation or tool."""
        return not (self.models.everything and self.operations.everything and self.tools.everything)

    @cached_property
    def counts(self) -> bool:
        """Whether there is anything to be counted of its calls."""
        return bool(self.rpm or self.tpm or self.concurrency)

    @cached_property
    def spends(self) -> bool:
        """Whether tokens are counted of its calls."""
        return bool(self.tpm) or self.budgets is not None

    @cached_property
    def checks(self) -> bool:
        """Whether anything but the number of requests may keep a call out."""
        return bool(self.concurrency) or self.spends

    @cached_property
    def restricts(self) -> bool:
        """Whether it says anything of what may be asked for, and not only of how much and from where."""
        how_much = replace(self, name="", rpm=0, tpm=0, concurrency=0, ip_allow=(), budgets=None)
        return replace(how_much, priority="interactive") != Policy("")


def nothing() -> Policy:
    """The policy of a token that is known no more: it may ask for nothing."""
    return Policy("none", operations=Globs(()))
