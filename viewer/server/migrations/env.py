"""Run by alembic: the migrations on the connection that `store.upgrade` holds, inside its transaction."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=True, transaction_per_migration=False, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
