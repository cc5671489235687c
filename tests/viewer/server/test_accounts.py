"""Who may log in, for how long, and what the audit log keeps; on SQLite ."""

import threading

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ccta.errors import BadInput
from viewer.server.accounts import HASHER, RIGHTS, ROLES, Accounts, Refused, Right, token_hash
from viewer.server.audit import Action, Audit
from viewer.server.settings import LoginSettings

PASSWORD = "four words make sense"
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""For tests alone: the product's takes 64 MiB and 60 ms of each try."""


@pytest.fixture
def now():
    return [1_000_000.0]


@pytest.fixture
def accounts(store, now):
    made = Accounts(store, clock=lambda: now[0], hasher=QUICK)
    made.add("anna", "Anna Reader", ("reader",), PASSWORD)
    return made


def test_a_login_gives_a_session_that_the_database_knows_by_its_hash_alone(accounts, store):
    token, person = accounts.log_in("Anna", PASSWORD, "10.0.0.1")
    assert (person.login, person.full_name, person.roles, person.must_change) == ("anna", "Anna Reader", ("reader",), True)
    assert accounts.person(token).csrf == person.csrf != token and accounts.person(token + "x") is None and accounts.person("") is None
    with store.session() as db:
        stored = [str(value) for row in db.execute(text("SELECT * FROM login_sessions")) for value in row]
        assert token_hash(token) in stored and token not in stored
        (hashed,) = db.execute(text("SELECT password FROM accounts")).one()
    assert hashed.startswith("$argon2id$") and PASSWORD not in hashed
    assert HASHER.memory_cost >= 64 * 1024 and HASHER.time_cost >= 3
    accounts.log_out(person.session)
    assert accounts.person(token) is None


def test_a_session_ends_without_use_and_at_the_end_of_the_day(accounts, now):
    token, _ = accounts.log_in("anna", PASSWORD, "10.0.0.1")
    now[0] += 29 * 60
    assert accounts.person(token, use=False), "a page that updates itself"
    now[0] += 2 * 60
    assert accounts.person(token) is None
    token, person = accounts.log_in("anna", PASSWORD, "10.0.0.1")
    for _ in range(30):
        now[0] += 24 * 60 - 1
        assert accounts.person(token)
    assert accounts.living() == {person.session}
    now[0] += 60
    assert accounts.person(token) is None and accounts.living() == set()


def test_five_wrong_tries_lock_the_account_for_a_quarter_of_an_hour(accounts, now):
    for _ in range(5):
        with pytest.raises(Refused, match="wrong"):
            accounts.log_in("anna", "wrong", "10.0.0.1")
    with pytest.raises(Refused, match="wait 15 minutes"):
        accounts.log_in("anna", PASSWORD, "10.0.0.2")
    now[0] += 15 * 60 + 1
    accounts.log_in("anna", PASSWORD, "10.0.0.2")
    for _ in range(4):
        with pytest.raises(Refused):
            accounts.log_in("anna", "wrong", "10.0.0.1")
    accounts.log_in("anna", PASSWORD, "10.0.0.1")
    with pytest.raises(Refused, match="wrong"):
        accounts.log_in("anna", "wrong", "10.0.0.1")  # the count began anew


def test_an_unlocked_account_may_try_at_once(accounts):
    for _ in range(5):
        with pytest.raises(Refused):
            accounts.log_in("anna", "wrong", "10.0.0.1")
    accounts.lock("anna", False)
    accounts.log_in("anna", PASSWORD, "10.0.0.1")


def test_one_address_cannot_try_many_accounts(store, now):
    accounts = Accounts(store, LoginSettings(tries_per_address=3), clock=lambda: now[0], hasher=QUICK)
    for login in ("a1", "b1", "c1"):
        with pytest.raises(Refused, match="wrong"):
            accounts.log_in(login, "wrong", "10.0.0.9")
    with pytest.raises(Refused, match="wait"):
        accounts.log_in("d1", "wrong", "10.0.0.9")
    with pytest.raises(Refused, match="wrong"):
        accounts.log_in("d1", "wrong", "10.0.0.8")


def test_locking_ends_sessions_and_the_last_admin_stays(accounts):
    accounts.add("root", "Ada Admin", ("admin", "reader"), PASSWORD)
    token, _ = accounts.log_in("anna", PASSWORD, "10.0.0.1")
    accounts.lock("anna")
    assert accounts.person(token) is None
    with pytest.raises(Refused, match="locked"):
        accounts.log_in("anna", PASSWORD, "10.0.0.1")
    with pytest.raises(BadInput, match="last admin"):
        accounts.lock("root")
    with pytest.raises(BadInput, match="last admin"):
        accounts.set_roles("root", ("reader",))
    accounts.set_roles("anna", ("admin",))
    with pytest.raises(BadInput, match="last admin"):  # anna is locked
        accounts.lock("root")


def test_a_chosen_password_replaces_the_given_one_and_ends_other_sessions(accounts):
    first, _ = accounts.log_in("anna", PASSWORD, "10.0.0.1")
    second, person = accounts.log_in("anna", PASSWORD, "10.0.0.2")
    with pytest.raises(BadInput, match="have now"):
        accounts.set_password("anna", PASSWORD, own=True)
    accounts.set_password("anna", "another long sentence", own=True, keep_session=person.session)
    assert accounts.person(first) is None and not accounts.person(second).must_change
    given = accounts.set_password("anna")
    assert accounts.log_in("anna", given, "10.0.0.1")[1].must_change


@pytest.mark.parametrize("password", ["short one", "aaaaaaaaaaaaaaaa", "anna goes to town", "my Password is long", "x" * 300])
def test_weak_passwords_are_refused_in_a_sentence(accounts, password):
    with pytest.raises(BadInput, match="password"):
        accounts.set_password("anna", password)


@pytest.mark.parametrize(
    "login, name, roles",
    [("a", "Long Name", ("reader",)), ("../x", "Long Name", ("reader",)), ("bob", "x", ("reader",)), ("bob", "Bob\x00Name", ("reader",)), ("bob", "Bob B", ()),
     ("bob", "Bob B", ("root",)), ("anna", "Anna Again", ("reader",))],
)  # fmt: skip
def test_accounts_that_cannot_be_made(accounts, login, name, roles):
    with pytest.raises(BadInput):
        accounts.add(login, name, roles)
    assert [account["login"] for account in accounts.everyone()] == ["anna"]


def test_every_right_belongs_to_a_role_and_reading_and_running_the_server_are_apart():
    assert set(RIGHTS) == set(ROLES) and set.union(*RIGHTS.values()) == set(Right)
    assert Right.SIGN not in RIGHTS["operator"] | RIGHTS["admin"] and Right.USERS not in RIGHTS["reader"] | RIGHTS["operator"]


def test_the_log_is_a_chain_and_the_database_refuses_to_change_it(store):
    audit = Audit(store)
    for number in range(3):
        audit.note("anna", "10.0.0.1", Action.VIEW, f"study-{number}")
    assert audit.verified().entries == 3 and audit.verified().broken_at == 0
    again = "INSERT OR REPLACE INTO audit_log SELECT id, at, 'nobody', origin, action, study, outcome, detail, previous, hash FROM audit_log WHERE id = 2"
    other = again if store.engine.dialect.name == "sqlite" else "TRUNCATE audit_log"
    for statement in ("UPDATE audit_log SET who = 'nobody' WHERE id = 2", "DELETE FROM audit_log WHERE id = 2", other):
        with pytest.raises(DBAPIError, match="append-only"), store.writing() as db:
            db.execute(text(statement))
    assert [entry["study"] for entry in audit.entries(limit=2)] == ["study-2", "study-1"]
    assert [entry["id"] for entry in audit.entries(study="study-0")] == [1] and audit.entries(who="bob") == []


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET who = 'bob' WHERE id = 3", "DELETE FROM audit_log WHERE id = 2"])
def test_a_change_behind_the_databases_back_is_found(store, statement):
    audit = Audit(store)
    for number in range(4):
        audit.note("anna", "10.0.0.1", Action.SIGN, f"study-{number}")
    names = ["audit_log_no_update", "audit_log_no_delete"] if store.engine.dialect.name == "sqlite" else ["audit_log_append_only ON audit_log"]
    with store.writing() as db:
        for name in names:
            db.execute(text(f"DROP TRIGGER {name}"))
        db.execute(text(statement))
    assert audit.verified().broken_at == 3


def test_entries_of_many_threads_make_one_chain(store):
    audits = [Audit(store) for _ in range(4)]
    threads = [threading.Thread(target=lambda a=a: [a.note("anna", "x", Action.LIST) for _ in range(5)]) for a in audits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audits[0].verified().entries == 20 and audits[0].verified().broken_at == 0
