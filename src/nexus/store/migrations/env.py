"""Alembic runs this file to walk the migrations on the connection that `nexus.store.migrate` hands over."""

from alembic import context

from nexus.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
