"""What a probe can find, and what is then thought of the instance. Pure."""

from dataclasses import dataclass, replace

from nexus.contract.card import Card
from nexus.gateway.registry.address import AddressError, host_of, parse_address
from nexus.gateway.registry.snapshot import Instance, State
from nexus.gateway.registry.sources.listing import Listing


@dataclass(frozen=True, slots=True)
class Answered:
    """It lives and says what it is; `waiting_for` says in one line why it is not ready."""

    card: Card
    ready: bool
    waiting_for: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """Something answers, but not as a service does."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nothing answers."""

    reason: str


Finding = Answered | Broken | Unanswered


def listed(listing: Listing) -> Instance:
    """An instance as its source names it, before anyone asked it."""
    return Instance(
        url=listing.url,
        source=listing.source,
        card=listing.card,
        data_url=listing.url,
        authorization=listing.authorization,
        own_authorization=listing.authorization,
        reason="not asked yet",
    )


def relisted(previous: Instance, before: Listing, now: Listing) -> Instance:
    """The instance after its source named it anew: a provisional card that was not yet outdone is replaced."""
    card = now.card if previous.card is before.card else previous.card
    own = now.authorization
    return replace(previous, source=now.source, card=card, authorization=own, own_authorization=own)


def decide(previous: Instance, finding: Finding, listing: Listing) -> Instance:
    """What is thought of an instance after a probe: `previous` itself where nothing changed.

    One failed probe is enough to make a ready instance unready. Until an instance of which only a provisional
    card is known has answered once, silence means that it is still being started.
    """
    match finding:
        case Unanswered(reason):
            never_seen = previous.state in (State.UNKNOWN, State.STARTING) and previous.card is listing.card
            if never_seen and listing.card is not None:
                return _with(previous, State.STARTING, f"not started yet: {reason}")
            return _with(previous, State.UNREACHABLE, reason)
        case Broken(reason):
            return _with(previous, State.INVALID, reason)
        case Answered(card, ready, waiting_for):
            return _placed(previous, card, listing, State.READY if ready else State.STARTING, waiting_for)


def refused(previous: Instance, reason: str) -> Instance:
    """What is thought of an instance to which a request could not be brought."""
    return _with(previous, State.UNREACHABLE, reason)


def _placed(previous: Instance, card: Card, listing: Listing, state: State, reason: str) -> Instance:
    """The instance with its card, and with the address where the card says that requests go."""
    data_url, authorization = listing.url, listing.authorization
    if card.backend.base_url is not None:
        try:
            address = parse_address(card.backend.base_url)
        except AddressError as error:
            return _with(previous, State.INVALID, f"backend.base_url: {error}")
        if address.authorization is not None:
            return _with(previous, State.INVALID, "backend.base_url: a card is public and must not carry credentials")
        data_url = address.url
        if host_of(data_url) != host_of(listing.url):
            authorization = None  # what the listed host may know is not for another one
    if card is previous.card and data_url == previous.data_url and authorization == previous.authorization:
        return _with(previous, state, reason)
    return replace(previous, state=state, reason=reason, card=card, data_url=data_url, authorization=authorization)


def _with(previous: Instance, state: State, reason: str) -> Instance:
    if previous.state is state and previous.reason == reason:
        return previous
    return replace(previous, state=state, reason=reason)
