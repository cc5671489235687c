"""Instances that were refused for want of room, for all processes of the server; which results are those of a draft."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "refused_instances",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("sop_uid", sa.String(64), primary_key=True),
        sa.Column("at_s", sa.Float, nullable=False),
    )
    op.add_column("deliveries", sa.Column("draft", sa.Boolean, nullable=False, server_default=sa.false()))
