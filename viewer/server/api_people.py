"""REST: logging in and out, one's own account, accounts (admin), the audit log (admin)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel, Field

from viewer.server.accounts import ROLES, Person, Refused, Right
from viewer.server.audit import Action
from viewer.server.security import COOKIE
from viewer.server.services import PersonOf, ServicesOf, address_of, in_a_sentence, may, note

router = APIRouter(prefix="/api", tags=["people"])

Word = Annotated[str, Field(max_length=256)]
Admin = Annotated[Person, Depends(may(Right.USERS))]
Auditor = Annotated[Person, Depends(may(Right.AUDIT))]


class Login(BaseModel):
    login: Word
    password: Word


class Me(BaseModel):
    """Who is signed in. csrf: goes into the header X-CSRF-Token of every request that changes something."""

    login: str
    full_name: str
    roles: list[str]
    rights: list[str]
    must_change: bool
    csrf: str


class NewPassword(BaseModel):
    old: Word
    new: Word


class NewUser(BaseModel):
    login: Word
    full_name: Word
    roles: list[Literal[ROLES]] = Field(max_length=3)


class UserChange(BaseModel):
    """What is given is changed."""

    locked: bool | None = None
    roles: list[Literal[ROLES]] | None = Field(None, max_length=3)


class User(BaseModel):
    login: str
    full_name: str
    roles: list[str]
    locked: bool
    must_change: bool


class OneTime(BaseModel):
    """A password that its owner has to change; it is told once."""

    login: str
    one_time_password: str


class Entry(BaseModel):
    """One line of the audit log."""

    id: int
    at: str
    who: str
    origin: str
    action: str
    study: str
    outcome: str
    detail: str


class Chain(BaseModel):
    """Whether the log is whole: entries read, the first that does not fit (0: none), the last hash."""

    entries: int
    broken_at: int
    last_hash: str


def sign_in(request: Request, services: ServicesOf, login: str, password: str) -> tuple[str, Person]:
    """A new login with its entries in the audit log. Refused as in Accounts.log_in."""
    origin = address_of(request)
    try:
        token, person = services.accounts.log_in(login, password, origin)
    except Refused:
        note(request, Action.LOGIN, outcome="refused", who=login.lower() if login.isascii() and login.isprintable() else "?")
        raise
    note(request, Action.LOGIN, who=person.login)
    return token, person


def give_cookie(request: Request, response: Response, token: str) -> None:
    """The session's cookie: no script reads it, no other site sends it, over TLS alone where there is TLS."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/")


def _told(person: Person) -> dict:
    rights = [right.value for right in Right if person.may(right)]
    return {
        "login": person.login,
        "full_name": person.full_name,
        "roles": person.roles,
        "rights": rights,
        "must_change": person.must_change,
        "csrf": person.csrf,
    }


@router.post("/login", response_model=Me)
def log_in(request: Request, response: Response, given: Login, services: ServicesOf):
    """Begins a session; the cookie that is set is the key to everything else."""
    try:
        token, person = sign_in(request, services, given.login, given.password)
    except Refused as error:
        raise HTTPException(401, str(error)) from error
    give_cookie(request, response, token)
    return _told(person)


@router.post("/logout", status_code=204)
async def log_out(request: Request, person: PersonOf, services: ServicesOf):
    """Ends the session and every viewer that it opened."""
    services.accounts.log_out(person.session)
    note(request, Action.LOGOUT)
    await services.launcher.close_of(person.session)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/")
    return response


@router.get("/me", response_model=Me)
def show_me(person: PersonOf):
    """Who is signed in, and what this account may do."""
    return _told(person)


@router.post("/me/password", status_code=204)
def change_password(request: Request, given: NewPassword, person: PersonOf, services: ServicesOf):
    """One's own password. Other logins of the account end."""
    if not services.accounts.is_right(person.login, given.old, address_of(request)):
        raise HTTPException(403, "The password that you have now is not right.")
    with in_a_sentence(400):
        services.accounts.set_password(person.login, given.new, own=True, keep_session=person.session)
    note(request, Action.CHANGE, detail="own password")


@router.get("/users", response_model=list[User])
def list_users(admin: Admin, services: ServicesOf):
    """Every account."""
    return services.accounts.everyone()


@router.post("/users", status_code=201, response_model=OneTime)
def add_user(request: Request, user: NewUser, admin: Admin, services: ServicesOf):
    """A new account with a one-time password."""
    with in_a_sentence(400):
        password = services.accounts.add(user.login, user.full_name, tuple(user.roles))
    note(request, Action.CHANGE, detail=f"account {user.login} made: {', '.join(user.roles)}")
    return {"login": user.login, "one_time_password": password}


@router.patch("/users/{login}", status_code=204)
def change_user(request: Request, login: str, change: UserChange, admin: Admin, services: ServicesOf):
    """Locks or unlocks an account, or gives it other roles."""
    with in_a_sentence(400):
        if change.roles is not None:
            services.accounts.set_roles(login, tuple(change.roles))
            note(request, Action.CHANGE, detail=f"account {login}: {', '.join(change.roles)}")
        if change.locked is not None:
            services.accounts.lock(login, change.locked)
            note(request, Action.CHANGE, detail=f"account {login} {'locked' if change.locked else 'unlocked'}")


@router.post("/users/{login}/password", response_model=OneTime)
def reset_password(request: Request, login: str, admin: Admin, services: ServicesOf):
    """A one-time password for somebody who forgot theirs."""
    with in_a_sentence(400):
        password = services.accounts.set_password(login)
    note(request, Action.CHANGE, detail=f"account {login}: one-time password")
    return {"login": login, "one_time_password": password}


@router.get("/audit", response_model=list[Entry])
def show_audit(auditor: Auditor, services: ServicesOf, limit: int = 100, before: int = 0, study: str = "", who: str = ""):
    """The audit log, newest first."""
    if not (1 <= limit <= 1000 and 0 <= before < 2**31 and len(study) <= 80 and len(who) <= 32):
        raise HTTPException(422, "limit is 1 to 1000, before the number of an entry.")
    return services.audit.entries(limit, before or None, study, who)


@router.get("/audit/chain", response_model=Chain)
def check_audit(auditor: Auditor, services: ServicesOf):
    """Reads the whole log and says whether an entry was changed, added or taken out."""
    return vars(services.audit.verified())
