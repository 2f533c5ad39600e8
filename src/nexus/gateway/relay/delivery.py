"""The way of an event stream to its client: what is sent is counted and, where that may help later, remembered."""

from nexus.gateway.relay.result import Relayed
from nexus.gateway.relay.transcript import Transcript
from nexus.gateway.values import Client


class Delivery:
    """`transcript` is None for a stream that will not be recovered: nothing of it is kept."""

    __slots__ = ("_client", "_result", "transcript")

    def __init__(self, client: Client, result: Relayed, transcript: Transcript | None) -> None:
        self._client = client
        self._result = result
        self.transcript = transcript

    def send(self, data: bytes) -> None:
        """Send whole events."""
        self._client.send(data)
        self._result.bytes_out += len(data)
        if self.transcript is not None:
            self.transcript.add(data)
