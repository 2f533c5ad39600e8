"""Loans that any of several workers can check: what they say is signed by a key that all of them have.

Such a loan is not taken back when its call has ended, for the other workers would not know of it; it ends by itself.
"""

import hashlib
import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64Error
from collections.abc import Callable
from typing import Final

SECONDS: Final = 3600.0
_BEGINNING: Final = "lent-"


class SharedLoans:
    """Makes and checks them; `secret` is what all workers know and nobody else."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        self._key = hashlib.sha256(b"nexus loans\0" + secret.encode()).digest()
        self._now = now

    def make(self, name: str) -> str:
        """A loan in the name of a caller: valid for an hour."""
        said = urlsafe_b64encode(f"{self._now() + SECONDS:.0f} {name}".encode()).decode()
        return f"{_BEGINNING}{said}.{self._signed(said)}"

    def name_of(self, credentials: bytes) -> str | None:
        """In whose name it was made; None for what is none, or not any more."""
        text = credentials.decode("latin-1")
        said, dot, signature = text.removeprefix(_BEGINNING).rpartition(".")
        if not dot or not text.startswith(_BEGINNING) or not self._is_signed(said, signature):
            return None
        try:
            until, _, name = urlsafe_b64decode(said).decode().partition(" ")
        except (NotBase64Error, UnicodeDecodeError):
            return None
        return name if float(until) > self._now() else None

    def _is_signed(self, said: str, signature: str) -> bool:
        return hmac.compare_digest(signature.encode("latin-1"), self._signed(said).encode())

    def _signed(self, said: str) -> str:
        return hmac.new(self._key, said.encode("latin-1"), hashlib.sha256).hexdigest()
