"""Opens what is stored. Importing this takes half a second (SQLAlchemy, Alembic), so that `storage` does it late."""

from nexus.gateway.settings import Settings
from nexus.gateway.storage import Opened
from nexus.jobs.ledger import Ledger
from nexus.store.attempts import Attempts
from nexus.store.audit import Audit
from nexus.store.blobs import Blobs, S3Access
from nexus.store.database import Database
from nexus.store.files import Files
from nexus.store.sessions import Sessions
from nexus.store.tokens import Tokens
from nexus.store.usage import Usages
from nexus.store.users import Users


async def open_storage(settings: Settings) -> Opened:
    """The storage that the settings name, ready for use. Raises StoreError."""
    database = Database(settings.database_url.get_secret_value())
    blobs = Blobs(settings.files_url, _access(settings))
    try:
        await database.open()
        await blobs.open()
    except BaseException:  # cancelled or not: what was opened is closed
        await database.close()
        raise
    return Opened(
        database,
        blobs,
        Files(database, blobs),
        Ledger(database),
        Tokens(database),
        Audit(database),
        Users(database),
        Sessions(database, settings.session_idle),
        Attempts(database),
        Usages(database),
    )


def _access(settings: Settings) -> S3Access:
    key, secret = settings.s3_access_key_id, settings.s3_secret_access_key
    return S3Access(
        endpoint=settings.s3_endpoint or "",
        region=settings.s3_region,
        access_key_id=key.get_secret_value() if key else "",
        secret_access_key=secret.get_secret_value() if secret else "",
    )
