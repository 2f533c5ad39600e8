"""The tables, as SQLAlchemy Core knows them; the migrations make them. Times are Unix seconds, sizes bytes."""

from typing import Final

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, Text, false, text

REVISION: Final = "0005"
"""The newest migration: what a database must be at."""

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts by itself only where the key is an INTEGER, which has 64 bits there.
_BigInt: Final = BigInteger().with_variant(Integer(), "sqlite")
_LIVING: Final = text("revoked_at IS NULL")

jobs: Final = Table(
    "jobs",
    metadata,
    Column("seq", _BigInt, primary_key=True, autoincrement=True),  # the order of arrival
    Column("id", Text, nullable=False, unique=True),
    Column("operation", Text, nullable=False),
    Column("model", Text),
    Column("token", Text, nullable=False),
    Column("state", Text, nullable=False),  # queued | running | completed | failed | cancelled
    Column("progress", Double, nullable=False, server_default=text("0")),  # 0 to 1
    Column("message", Text, nullable=False, server_default=text("''")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("created_at", Double, nullable=False),
    Column("available_at", Double, nullable=False),  # not to be started before
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("expires_at", Double),
    Column("owner", Text),  # the gateway that has claimed it, until lease_until
    Column("lease_until", Double),
    Column("path", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("request_bytes", _BigInt, nullable=False),
    Column("request_key", Text, nullable=False),  # where the request's body is in the blob storage
    Column("request_id", Text, nullable=False),
    Column("base_url", Text, nullable=False, server_default=text("''")),
    Column("result_status", Integer),
    Column("result_type", Text),
    Column("result_bytes", _BigInt),
    Column("result_key", Text),
    Column("error", JSON(none_as_null=True)),
    Column("service", Text, nullable=False, server_default=text("''")),
    Column("instance", Text, nullable=False, server_default=text("''")),
    Column("details", JSON, nullable=False, server_default=text("'{}'")),
    Index("ix_jobs_state_available_at_seq", "state", "available_at", "seq"),
    Index("ix_jobs_token_seq", "token", "seq"),
    Index("ix_jobs_expires_at", "expires_at"),
    sqlite_autoincrement=True,
)

files: Final = Table(
    "files",
    metadata,
    Column("seq", _BigInt, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # file | artifact | upload (its bytes are still to come) | removed
    Column("token", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", Text, nullable=False, server_default=text("''")),
    Column("media_type", Text, nullable=False),
    Column("bytes", _BigInt, nullable=False),
    Column("key", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, index=True),
    Column("job", Text, index=True),  # whose run has made it, and with which it goes
    Index("ix_files_token_seq", "token", "seq"),
    sqlite_autoincrement=True,
)

tokens: Final = Table(
    "tokens",
    metadata,
    Column("seq", _BigInt, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),  # hex
    Column("owner", Text, nullable=False, server_default=text("''")),
    Column("policy", Text, nullable=False),  # the name of one of nexus.yaml's
    Column("expires_at", Double),
    Column("created_at", Double, nullable=False),
    Column("last_used_at", Double),  # to the minute
    Column("revoked_at", Double),
    Column("source", Text, nullable=False),
    Column("user", Text, index=True),  # the id of the user who has it, and whose name and policy it goes by
    Index("ix_tokens_living_name", "name", unique=True, sqlite_where=_LIVING, postgresql_where=_LIVING),
    sqlite_autoincrement=True,
)

audit: Final = Table(
    "audit",
    metadata,
    Column("seq", _BigInt, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("actor", Text, nullable=False),  # the name of the token that asked for it
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", JSON, nullable=False, server_default=text("'{}'")),
    Index("ix_audit_subject_seq", "subject", "seq"),
    sqlite_autoincrement=True,
)

versions: Final = Table(
    "versions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", _BigInt, nullable=False),  # goes up with each change, in the transaction that makes it
)

usage: Final = Table(
    "usage",
    metadata,
    Column("token", Text, primary_key=True),  # its name
    Column("period", Text, primary_key=True),  # day | month
    Column("starts_at", Double, primary_key=True),
    Column("gateway", Text, primary_key=True),  # the process that has counted, and alone writes this row
    Column("ends_at", Double, nullable=False),
    Column("requests", _BigInt, nullable=False),
    Column("tokens", _BigInt, nullable=False),
    Column("engine_ms", _BigInt, nullable=False),
    Column("version", _BigInt, nullable=False),  # that of all usage when this row was written last
    Index("ix_usage_version", "version"),
)

users: Final = Table(
    "users",
    metadata,
    Column("seq", _BigInt, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),  # also after its user: what goes by a name is nobody else's
    Column("role", Text, nullable=False),
    Column("policy", Text, nullable=False),  # the name of one of nexus.yaml's
    Column("password", Text),  # as Argon2 writes what it keeps of one; null: signs in elsewhere
    Column("issuer", Text),  # who vouches for this one, and under which subject
    Column("subject", Text),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("created_at", Double, nullable=False),
    Column("signed_in_at", Double),
    Column("deleted_at", Double),
    Index("ix_users_issuer_subject", "issuer", "subject", unique=True),
    sqlite_autoincrement=True,
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("sha256", Text, primary_key=True),  # of its id, in hex
    Column("user", Text, nullable=False, index=True),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Column("seen_at", Double, nullable=False),  # to a part of the time that it may lie idle
)

attempts: Final = Table(
    "attempts",
    metadata,
    Column("key", Text, primary_key=True),  # a digest of what was tried, or of whence
    Column("failures", Integer, nullable=False),
    Column("at", Double, nullable=False, index=True),
    Column("until", Double, nullable=False),  # the next one is not looked at before
)

sign_ins: Final = Table(
    "sign_ins",
    metadata,
    Column("sha256", Text, primary_key=True),  # of the state that a provider is to give back, in hex
    Column("expires_at", Double, nullable=False, index=True),
)
