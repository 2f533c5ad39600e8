"""How long a token takes to be looked up tells nothing of how much of it was right."""

import gc
from contextlib import suppress
from statistics import median
from time import perf_counter_ns

from nexus.contract.errors import ApiError
from nexus.gateway.edge.auth import Keyring, digest, new_token
from nexus.policies.token import Token

ROUNDS = 3000
SHARE = 0.1
"""As much may two medians differ: a comparison letter by letter would be seen in a median of thousands."""


def nanoseconds(keyring: Keyring, header: bytes) -> int:
    begun = perf_counter_ns()
    with suppress(ApiError):
        keyring.check(header)
    return perf_counter_ns() - begun


def test_a_wrong_token_takes_as_long_whatever_part_of_it_is_right() -> None:
    token = new_token()
    keyring = Keyring(
        [Token(digest(new_token()), f"other-{number}") for number in range(200)] + [Token(digest(token), "own")]
    )
    wrong = {
        share: b"Bearer " + (token[: int(len(token) * share)] + "x" * (len(token) - int(len(token) * share))).encode()
        for share in (0.0, 0.25, 0.5, 0.75, 0.98)
    }
    assert all(value != f"Bearer {token}".encode() for value in wrong.values())
    gc.disable()
    try:
        taken: dict[float, list[int]] = {share: [] for share in wrong}
        for _ in range(ROUNDS):  # in turns, so that whatever else the machine does meets all alike
            for share, header in wrong.items():
                taken[share].append(nanoseconds(keyring, header))
    finally:
        gc.enable()
    medians = [median(times) for times in taken.values()]
    assert max(medians) <= min(medians) * (1 + SHARE), medians
