"""Who may use the server: accounts with roles, passwords by argon2, sessions, and a lock-out after failed tries.

Password rules after NIST SP 800-63B (length counts, no forced mixture, no forced change). A session is 256 random bits; the database holds only their hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Boolean, Float, ForeignKey, Integer, String, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from ccta.errors import BadInput
from viewer.server.settings import LoginSettings
from viewer.server.store import Base, Store

ROLES = ("reader", "operator", "admin")


class Right(StrEnum):
    """What an account may do."""

    VIEW = "view"
    OPEN = "open"
    SIGN = "sign"
    UPLOAD = "upload"
    JOBS = "jobs"
    USERS = "users"
    AUDIT = "audit"


RIGHTS = {
    "reader": {Right.VIEW, Right.OPEN, Right.SIGN},
    "operator": {Right.VIEW, Right.UPLOAD, Right.JOBS},
    "admin": {Right.USERS, Right.AUDIT},
}
"""An account may hold several roles. An admin alone sees no patient."""
LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
TOO_COMMON = ("password", "passwort", "qwerty", "123456", "letmein", "welcome", "admin")
HASHER = PasswordHasher()
"""argon2id with the memory and time of RFC 9106 for servers with little memory (64 MiB, 3 rounds)."""
TOUCH_S = 60.0
"""How finely the last use of a session is noted."""


class Refused(BadInput):
    """A login that was not accepted; the sentence does not say whether the account exists."""


class Account(Base):
    """A person who may log in. roles: names separated by commas."""

    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    login: Mapped[str] = mapped_column(String(32), unique=True)
    full_name: Mapped[str] = mapped_column(String(100))
    roles: Mapped[str] = mapped_column(String(60))
    password: Mapped[str] = mapped_column(String(200))
    locked: Mapped[bool] = mapped_column(Boolean, default=False)
    must_change: Mapped[bool] = mapped_column(Boolean, default=False)
    """The password was given by another person, or printed; the first thing to do is to choose one."""


class LoginSession(Base):
    """One login. Times are seconds since 1970."""

    __tablename__ = "login_sessions"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    begun_s: Mapped[float] = mapped_column(Float)
    used_s: Mapped[float] = mapped_column(Float)
    address: Mapped[str] = mapped_column(String(64))


class FailedTry(Base):
    """A login that failed: for which account (as it was typed), from where."""

    __tablename__ = "failed_tries"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    login: Mapped[str] = mapped_column(String(32), index=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    at_s: Mapped[float] = mapped_column(Float)


@dataclass(frozen=True)
class Person:
    """Who is signed in, as the rest of the server sees it. session: the hash of the session's token."""

    login: str
    full_name: str
    roles: tuple[str, ...]
    must_change: bool = False
    session: str = ""
    csrf: str = ""

    def may(self, right: Right) -> bool:
        return any(right in RIGHTS[role] for role in self.roles)


def token_hash(token: str) -> str:
    """What the database knows of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def checked_password(password: str, login: str, rules: LoginSettings) -> str:
    """The password, or BadInput with the rule that it breaks."""
    lower = password.lower()
    if not rules.least_letters <= len(password) <= 256:
        raise BadInput(f"a password has {rules.least_letters} to 256 characters; a sentence of four or five words is good")
    if len(set(lower)) < 6:
        raise BadInput("this password repeats too few characters; take at least six different ones")
    if login in lower or any(word in lower for word in TOO_COMMON):
        raise BadInput("this password holds the account's name or one of the most common passwords; choose another")
    return password


def checked_roles(roles: tuple[str, ...]) -> tuple[str, ...]:
    """Roles in their order, each once. BadInput for none or an unknown one."""
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise BadInput(f"an account has one or more of the roles {', '.join(ROLES)}" + (f"; there is no {', '.join(unknown)}" if unknown else ""))
    return tuple(role for role in ROLES if role in roles)


class Accounts:
    """Everything about accounts and logins. clock: seconds since 1970."""

    def __init__(self, store: Store, rules: LoginSettings | None = None, clock: Callable[[], float] = time.time, hasher: PasswordHasher = HASHER):
        self._store, self.rules, self._clock, self._hasher = store, rules or LoginSettings(), clock, hasher
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    # --- accounts ---

    def any(self) -> bool:
        with self._store.session() as db:
            return db.scalar(select(Account.id).limit(1)) is not None

    def everyone(self) -> list[dict]:
        """Every account without its password."""
        with self._store.session() as db:
            return [_public(account) for account in db.scalars(select(Account).order_by(Account.login))]

    def add(self, login: str, full_name: str, roles: tuple[str, ...], password: str = "") -> str:
        """A new account; gives the password, made up where none is given. It has to be changed at the first login."""
        if not LOGIN.fullmatch(login):
            raise BadInput("an account's name has 2 to 32 small letters, digits, dots, dashes or underscores and begins with a letter or digit")
        full_name = " ".join(full_name.split())
        if not 2 <= len(full_name) <= 100 or not full_name.isprintable():
            raise BadInput("the person's name has 2 to 100 printable characters; it stands beside corrections and signatures")
        password = checked_password(password, login, self.rules) if password else secrets.token_urlsafe(12)
        account = Account(login=login, full_name=full_name, roles=",".join(checked_roles(roles)), password=self._hasher.hash(password), must_change=True)
        try:
            with self._store.writing() as db:
                db.add(account)
        except IntegrityError as error:
            raise BadInput(f"there is already an account {login}") from error
        return password

    def lock(self, login: str, locked: bool = True) -> None:
        """Locks an account and ends its sessions, or unlocks it and forgets its failed tries."""
        with self._store.writing() as db:
            account = self._account(db, login)
            if locked and "admin" in account.roles and not self._other_admin(db, account):
                raise BadInput(f"{login} is the last admin that can log in; make another one first")
            account.locked = locked
            db.execute(delete(LoginSession).where(LoginSession.account_id == account.id) if locked else delete(FailedTry).where(FailedTry.login == login))

    def set_roles(self, login: str, roles: tuple[str, ...]) -> None:
        """Other roles, from the next request on."""
        with self._store.writing() as db:
            account, roles = self._account(db, login), checked_roles(roles)
            if "admin" in account.roles and "admin" not in roles and not self._other_admin(db, account):
                raise BadInput(f"{login} is the last admin that can log in; make another one first")
            account.roles = ",".join(roles)

    def set_password(self, login: str, password: str = "", own: bool = False, keep_session: str = "") -> str:
        """A new password, made up where none is given. own: chosen by the person, so that it need not be changed. Ends the account's other sessions."""
        with self._store.writing() as db:
            account = self._account(db, login)
            password = checked_password(password, login, self.rules) if password else secrets.token_urlsafe(12)
            if own and self._right(account.password, password):
                raise BadInput("this is the password that you have now; choose another")
            account.password, account.must_change = self._hasher.hash(password), not own
            db.execute(delete(LoginSession).where(LoginSession.account_id == account.id, LoginSession.token_hash != keep_session))
        return password

    def _account(self, db: Session, login: str) -> Account:
        account = db.scalar(select(Account).where(Account.login == login))
        if account is None:
            raise BadInput("there is no such account; `ccta user list` names them all")
        return account

    def _other_admin(self, db: Session, account: Account) -> bool:
        return any("admin" in other.roles for other in db.scalars(select(Account).where(Account.id != account.id, Account.locked.is_(False))))

    # --- logins ---

    def log_in(self, login: str, password: str, address: str) -> tuple[str, Person]:
        """The token of a new session and who it is. Refused with one sentence for everything that is wrong, another one while locked out."""
        account, now, token = self._checked(login, password, address), self._clock(), secrets.token_urlsafe(32)
        person = _person(account, token_hash(token), secrets.token_urlsafe(32))
        with self._store.writing() as db:
            db.add(LoginSession(token_hash=person.session, account_id=account.id, csrf=person.csrf, begun_s=now, used_s=now, address=address))
            if self._hasher.check_needs_rehash(account.password):
                db.get(Account, account.id).password = self._hasher.hash(password)
        return token, person

    def is_right(self, login: str, password: str, address: str) -> bool:
        """Whether this is the account's password; a wrong one counts as a failed try."""
        try:
            return self._checked(login, password, address) is not None
        except Refused:
            return False

    def _checked(self, login: str, password: str, address: str) -> Account:
        """The account of a right password, its failed tries forgotten. Refused for everything else."""
        login, now = login[:32].lower(), self._clock()
        with self._store.writing() as db:
            self._refuse_when_locked_out(db, login, address, now)
            db.add(FailedTry(login=login, address=address, at_s=now))  # before the password is looked at, so that tries at the same moment count too
            account = db.scalar(select(Account).where(Account.login == login))
        right = self._right(account.password if account else self._nobody, password[:256])
        if account is None or not right or account.locked:
            raise Refused("Name or password is wrong, or the account is locked.")
        with self._store.writing() as db:
            db.execute(delete(FailedTry).where(FailedTry.login == login))
        return account

    def _right(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def _refuse_when_locked_out(self, db: Session, login: str, address: str, now: float) -> None:
        rules = self.rules
        db.execute(delete(FailedTry).where(FailedTry.at_s < now - 60 * rules.lock_minutes))
        counts = [(FailedTry.login == login, rules.tries_per_account), (FailedTry.address == address, rules.tries_per_address)]
        if any(db.scalar(select(func.count()).select_from(FailedTry).where(which)) >= limit for which, limit in counts):
            raise Refused(f"Too many failed tries; wait {rules.lock_minutes:.0f} minutes, or ask an administrator to unlock the account.")

    def person(self, token: str, use: bool = True) -> Person | None:
        """Who holds this token; None where it is unknown, over, or the account is locked. use: counts as use (a page that updates itself does not)."""
        if not token:
            return None
        now, hashed = self._clock(), token_hash(token)
        with self._store.session() as db:
            row = db.execute(select(LoginSession, Account).join(Account).where(LoginSession.token_hash == hashed)).first()
        if row is None or row.Account.locked or self._over(row.LoginSession, now):
            return None
        if use and now - row.LoginSession.used_s > TOUCH_S:
            with self._store.writing() as db:
                db.execute(update(LoginSession).where(LoginSession.token_hash == hashed).values(used_s=now))
        return _person(row.Account, hashed, row.LoginSession.csrf)

    def _over(self, session: LoginSession, now: float) -> bool:
        return now - session.used_s > 60 * self.rules.idle_minutes or now - session.begun_s > 3600 * self.rules.absolute_hours

    def log_out(self, session: str) -> None:
        """Ends a session, by the hash of its token."""
        with self._store.writing() as db:
            db.execute(delete(LoginSession).where(LoginSession.token_hash == session))

    def living(self) -> set[str]:
        """The sessions that are not over; those that are leave the database."""
        now = self._clock()
        with self._store.session() as db:
            rows = list(db.execute(select(LoginSession, Account).join(Account)))
        over = {row.LoginSession.token_hash for row in rows if row.Account.locked or self._over(row.LoginSession, now)}
        if over:
            with self._store.writing() as db:
                db.execute(delete(LoginSession).where(LoginSession.token_hash.in_(over)))
        return {row.LoginSession.token_hash for row in rows} - over


def _person(account: Account, session: str, csrf: str) -> Person:
    return Person(account.login, account.full_name, tuple(account.roles.split(",")), account.must_change, session, csrf)


def _public(account: Account) -> dict:
    roles = account.roles.split(",")
    return {"login": account.login, "full_name": account.full_name, "roles": roles, "locked": account.locked, "must_change": account.must_change}
