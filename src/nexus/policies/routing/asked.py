"""What rules look at: a call, as somebody tells of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class Asked(Protocol):
    """What is asked, by whom and when. What costs something to find out may be found out when a rule wants it.

    `policy` is None for a caller without one. `models` are the name that was written, and what that stands for; none
    where none was written. `services` are those that would answer it as it was asked. `prompt_tokens` is None where a
    request is no text. `moment` knows its time zone. `is_bound`: it names its service by its path.
    """

    @property
    def policy(self) -> str | None: ...
    @property
    def token(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def models(self) -> Sequence[str]: ...
    @property
    def services(self) -> Sequence[str]: ...
    @property
    def region(self) -> str: ...
    @property
    def stream(self) -> bool: ...
    @property
    def has_tools(self) -> bool: ...
    @property
    def has_images(self) -> bool: ...
    @property
    def prompt_tokens(self) -> int | None: ...
    @property
    def moment(self) -> datetime: ...
    @property
    def is_bound(self) -> bool: ...
    def header(self, name: str) -> Sequence[str]:
        """The values of a header, by its name in small letters."""
