"""What a service asks the gateway with, on behalf of the caller that it answers, for as long as that takes."""

from nexus.gateway.edge.auth import Keyring


class Lender:
    """Makes loans; `url` is where services reach this gateway."""

    def __init__(self, keyring: Keyring, url: str) -> None:
        self._keyring = keyring
        self._url = url

    def lend(self, name: str) -> "LentToken":
        """A loan in the name of a caller."""
        return LentToken(self._keyring, self._keyring.lend(name), self._url)


class LentToken:
    """One token on loan. See `dispatch.lease.Loan`."""

    def __init__(self, keyring: Keyring, token: str, url: str) -> None:
        self._keyring = keyring
        self._token = token
        self.lines = f"x-nexus-gateway: {url}\r\nx-nexus-delegation: {token}\r\n"

    def give_back(self) -> None:
        self._keyring.take_back(self._token)
