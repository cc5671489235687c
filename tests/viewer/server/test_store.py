"""The server's database and settings: the same on SQLite and PostgreSQL, safe with several writers, wrong input in one sentence."""

import threading

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from ccta.errors import BadSettings, StorageFailed
from tests.viewer.server.conftest import free_port
from viewer.server import accounts, audit  # noqa: F401 - their tables belong to the same database
from viewer.server.settings import Pacs, load_server_settings, server_settings
from viewer.server.store import Base, Instance, Study, StudyState, make_engine, migration_settings, open_store


def test_migrations_make_the_tables_that_the_models_describe(store):
    with store.engine.connect() as connection:
        assert {"studies", "accounts", "audit_log"} <= set(Base.metadata.tables)
        assert not compare_metadata(MigrationContext.configure(connection), Base.metadata)


def test_opening_twice_keeps_what_is_there(store, database_url):
    with store.writing() as session:
        session.add(Study(study_uid="1.2.3", patient_name="王小明=王^小明"))
    again = open_store(database_url)
    with again.session() as session:
        assert session.scalar(select(Study.patient_name)) == "王小明=王^小明"
    again.close()


def test_reports_signed_after_an_upgrade_are_sent_for_studies_analysed_before_it(tmp_path):
    """The objects of what was analysed here are as old as the analysis; a case of somebody else's folder has none."""
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    engine = make_engine(url)
    texts = "'', '', '', '', '', '', '', '', '', 0, 1, 1, 0.0, 0.0, '', '', '', ''"
    names = "patient_id, patient_name, birth_date, sex, accession, description, study_date, study_time, source, urgent, generation, instances, received_s, "
    names += "last_instance_s, progress, error, image_quality, cad_rads"
    with engine.connect().execution_options(writes=True) as connection:
        command.upgrade(migration_settings(connection), "0002")
        for uid, state, finished, path in (("1.1", "done", 77.0, "cases/1.1/1"), ("1.2", "done", "NULL", "../one"), ("1.3", "failed", 78.0, "")):
            connection.exec_driver_sql(
                f"INSERT INTO studies (study_uid, state, finished_s, case_path, {names}) VALUES ('{uid}', '{state}', {finished}, '{path}', {texts})"
            )
        connection.commit()
    engine.dispose()
    store = open_store(url)
    with store.session() as session:
        assert dict(session.execute(select(Study.study_uid, Study.objects_s)).all()) == {"1.1": 77.0, "1.2": 0.0, "1.3": 0.0}
    store.close()


def test_an_instance_is_there_once(store):
    with store.writing() as session:
        session.add(Study(study_uid="1.2.3"))
        session.flush()
        session.add(Instance(sop_uid="1.2.3.4", study_id=1, series_uid="1.2", sop_class_uid="1", path="a", size_bytes=1, received_s=0.0))
    with pytest.raises(IntegrityError), store.writing() as session:
        session.add(Instance(sop_uid="1.2.3.4", study_id=1, series_uid="1.2", sop_class_uid="1", path="b", size_bytes=1, received_s=0.0))


def test_a_failed_write_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError), store.writing() as session:
        session.add(Study(study_uid="1.2.3"))
        session.flush()
        _ = 1 / 0
    with store.session() as session:
        assert session.scalar(select(Study)) is None


def test_writers_at_the_same_time_lose_no_count(store):
    with store.writing() as session:
        session.add(Study(study_uid="1.2.3"))

    def count_up():
        for _ in range(20):
            with store.writing() as session:
                study = session.scalar(select(Study).with_for_update())
                study.instances += 1

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.session() as session:
        study = session.scalar(select(Study))
        assert (study.instances, study.state) == (80, StudyState.RECEIVED)


def test_a_database_that_is_not_there_is_one_sentence_without_its_password():
    with pytest.raises(StorageFailed, match="cannot be used") as caught:
        open_store(f"postgresql+psycopg://ccta:secret@127.0.0.1:{free_port()}/none")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://a/b", "no url", "oracle://x"])
def test_only_the_two_databases(url):
    with pytest.raises(BadSettings):
        open_store(url)


def test_settings_of_a_file(tmp_path):
    path = tmp_path / "server.toml"
    path.write_text('data = "store"\n[listen]\ncallers = ["CT1"]\nidle_s = 5\n[pacs.main]\nhost = "pacs"\nae_title = "PACS"\n[out]\ndestination = "main"\n')
    settings = load_server_settings(path)
    assert settings.data == str(tmp_path / "store")
    assert settings.listen.callers == ("CT1",) and settings.listen.idle_s == 5
    assert settings.pacs["main"] == Pacs(host="pacs", ae_title="PACS")
    assert settings.database_url == f"sqlite:///{tmp_path / 'store' / 'server.sqlite'}"


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"listn": {}}, "listn"),
        ({"listen": {"prt": 1}}, "prt"),
        ({"listen": {"port": "104"}}, "listen.port must be int"),
        ({"listen": {"callers": "CT1"}}, "list of texts"),
        ({"listen": {"ae_title": "much too long a title"}}, "AE title"),
        ({"listen": {"certificate": "a.pem"}}, "needs both"),
        ({"out": {"destination": "main"}}, "no table"),
        ({"pacs": {"main": {"host": "pacs"}}}, "ae_title"),
        ({"pacs": {"main": {"url": "http://pacs", "retrieve": "fetch"}}}, "retrieve"),
        ({"pacs": {"main": {"host": "pacs", "ae_title": "P", "own_port": 11113}}}, "own_ae_title other than CCTA"),
        ({"pacs": {"main": {"host": "pacs", "ae_title": "P", "own_port": 11113, "own_ae_title": "CCTA"}}}, "own_ae_title other than CCTA"),
        ({"pacs": {"main": {"host": "pacs", "ae_title": "P", "own_port": -5, "own_ae_title": "PULL"}}}, "own_port of a PACS is -5"),
        ({"pacs": {"main": {"host": "pacs", "ae_title": "P", "port": 0}}}, "port of a PACS is 0"),
        ({"pacs": {"main": {"host": "pacs", "ae_title": "P" * 17}}}, "no AE title"),
        ({"pacs": {"main": {"host": "pacs", "ae_title": "P", "own_ae_title": "x" * 40}}}, "no AE title"),
        ({"analysis": {"tries": 0}}, "analysis.tries"),
        ({"data": 3}, "data must be text"),
    ],
)
def test_a_wrong_setting_is_named(tables, says):
    with pytest.raises(BadSettings, match=says):
        server_settings(tables)


def test_a_file_that_is_no_settings_file(tmp_path):
    with pytest.raises(BadSettings, match="cannot be read"):
        load_server_settings(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings, match="not valid TOML"):
        load_server_settings(tmp_path / "bad.toml")
