"""Studies, instances, jobs and deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table("studies", *_study_columns())
    for column in ("patient_id", "accession", "study_date", "state"):
        op.create_index(f"ix_studies_{column}", "studies", [column])
    op.create_table("instances", *_instance_columns())
    for column in ("study_id", "series_uid"):
        op.create_index(f"ix_instances_{column}", "instances", [column])
    op.create_table("jobs", *_job_columns(), sa.UniqueConstraint("study_id", "generation", "number"))
    for column in ("study_id", "state"):
        op.create_index(f"ix_jobs_{column}", "jobs", [column])
    op.create_table("deliveries", *_delivery_columns(), sa.UniqueConstraint("sop_uid", "destination"))
    for column in ("study_id", "sop_uid", "state"):
        op.create_index(f"ix_deliveries_{column}", "deliveries", [column])


def downgrade() -> None:
    for table in ("deliveries", "jobs", "instances", "studies"):
        op.drop_table(table)


def _needed(name: str, kind) -> sa.Column:
    return sa.Column(name, kind, nullable=False)


def _of_study() -> sa.Column:
    return sa.Column("study_id", sa.Integer, sa.ForeignKey("studies.id", ondelete="CASCADE"), nullable=False)


def _study_columns() -> list[sa.Column]:
    texts = {"patient_id": 64, "patient_name": 324, "birth_date": 8, "sex": 16, "accession": 64, "description": 64, "study_date": 8, "study_time": 16}
    return [
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_uid", sa.String(64), nullable=False, unique=True),
        *(_needed(name, sa.String(length)) for name, length in texts.items()),
        _needed("source", sa.String(128)),
        _needed("state", sa.String(16)),
        _needed("urgent", sa.Boolean),
        _needed("generation", sa.Integer),
        _needed("instances", sa.Integer),
        _needed("received_s", sa.Float),
        _needed("last_instance_s", sa.Float),
        sa.Column("started_s", sa.Float),
        sa.Column("finished_s", sa.Float),
        _needed("progress", sa.String(200)),
        _needed("error", sa.Text),
        _needed("case_path", sa.Text),
        _needed("image_quality", sa.String(100)),
        _needed("cad_rads", sa.String(100)),
        sa.Column("lowest_ffr", sa.Float),
    ]


def _instance_columns() -> list[sa.Column]:
    return [
        sa.Column("sop_uid", sa.String(64), primary_key=True),
        _of_study(),
        _needed("series_uid", sa.String(64)),
        _needed("sop_class_uid", sa.String(64)),
        _needed("modality", sa.String(16)),
        _needed("path", sa.Text),
        _needed("size_bytes", sa.BigInteger),
        _needed("received_s", sa.Float),
    ]


def _job_columns() -> list[sa.Column]:
    return [
        sa.Column("id", sa.Integer, primary_key=True),
        _of_study(),
        _needed("generation", sa.Integer),
        _needed("number", sa.Integer),
        _needed("state", sa.String(16)),
        _needed("urgent", sa.Boolean),
        _needed("tries", sa.Integer),
        _needed("not_before_s", sa.Float),
        sa.Column("queued_s", sa.Float),
        sa.Column("started_s", sa.Float),
        sa.Column("finished_s", sa.Float),
        _needed("error", sa.Text),
    ]


def _delivery_columns() -> list[sa.Column]:
    return [
        sa.Column("id", sa.Integer, primary_key=True),
        _of_study(),
        _needed("generation", sa.Integer),
        *(_needed(name, sa.String(64)) for name in ("sop_uid", "series_uid", "sop_class_uid")),
        _needed("path", sa.Text),
        _needed("destination", sa.String(64)),
        _needed("state", sa.String(16)),
        _needed("tries", sa.Integer),
        _needed("next_try_s", sa.Float),
        sa.Column("there_s", sa.Float),
        _needed("error", sa.Text),
    ]
