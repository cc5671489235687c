"""Which storage commitment a result was asked for, and when a study's DICOM objects were made."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("studies", sa.Column("objects_s", sa.Float, nullable=False, server_default="0"))
    op.execute("UPDATE studies SET objects_s = coalesce(finished_s, 0) WHERE state = 'done' AND case_path LIKE 'cases/%'")
    op.add_column("deliveries", sa.Column("transaction_uid", sa.String(64), nullable=False, server_default=""))
    op.create_index(op.f("ix_deliveries_transaction_uid"), "deliveries", ["transaction_uid"])
