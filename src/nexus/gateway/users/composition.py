"""Makes the parts for users, where the settings want any; what they stand on is imported only then."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from nexus.gateway.edge.auth import Keyring
from nexus.gateway.edge.visitors import Visitors
from nexus.gateway.log import Log
from nexus.gateway.settings import Settings
from nexus.gateway.storage import Store
from nexus.gateway.users.cookies import Cookies
from nexus.gateway.users.people import Issuer, People

if TYPE_CHECKING:
    from nexus.gateway.tokens import TokenBook

LOOK: Final = b"look"
"""What the other workers are told once somebody is let in, or no more: to have a look at the database now."""


def create_visitors(settings: Settings, keyring: Keyring) -> Visitors | None:
    """Those who will be signed in; None where there are no users."""
    if settings.users == "off":
        return None
    public = settings.public_url
    secure = settings.tls_cert is not None or (public is not None and public.startswith("https://"))
    return Visitors(Cookies(secure), keyring, public)


def create_people(
    settings: Settings,
    visitors: Visitors | None,
    store: Store,
    book: "TokenBook",
    tell: Callable[[bytes], Awaitable[object]],
    log: Log,
) -> People | None:
    """How they sign in, which the other workers are told of by `tell`; None where there are no users."""
    if visitors is None:
        return None
    from nexus.gateway.users.passwords import Passwords  # noqa: PLC0415 - most gateways have no users
    from nexus.gateway.users.sign_in import SignIns  # noqa: PLC0415 - as above

    async def look() -> None:
        await book.look()
        await tell(LOOK)

    sign_ins = SignIns(store, look, Passwords(), settings.session_lifetime, log)
    return People(visitors, sign_ins, _create_issuer(settings, store, log))


def _create_issuer(settings: Settings, store: Store, log: Log) -> Issuer | None:
    if settings.oidc_issuer is None:
        return None
    from nexus.gateway.users.oidc import Provider, ProviderSettings, state_of  # noqa: PLC0415 - as above
    from nexus.gateway.users.vouched import Roles, Vouched  # noqa: PLC0415 - as above

    secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else ""
    own = ProviderSettings(settings.oidc_issuer, settings.oidc_client_id, secret, settings.oidc_scopes)
    roles = Roles(settings.oidc_role_claim, settings.oidc_admin_group, settings.oidc_role)
    return Issuer(Provider(own, log), state_of, Vouched(store, settings.oidc_issuer, roles))
