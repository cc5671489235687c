"""Settings of the server, one frozen dataclass per table of server.toml, every default with its reason (habit 7). An unknown key is an error."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from ccta.errors import BadSettings
from ccta.settings import settings_from

AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")  # DICOM PS3.5: 16 characters of the default repertoire without backslash
LAST_PORT = 65535
PACS_KINDS = ("get", "move")
REJECTIONS = ("", "quality", "safety")


def _check_title(title: str) -> None:
    if not AE_TITLE.fullmatch(title) or not title.strip():
        raise BadSettings(f"{title!r} is no AE title: 1 to 16 characters of ASCII without backslash")


@dataclass(frozen=True)
class ListenSettings:
    """The DICOM store SCP."""

    ae_title: str = "CCTA"
    host: str = "127.0.0.1"  # this machine alone until the hospital's address is given
    port: int = 11112  # registered with IANA for DICOM; needs no root, unlike 104
    callers: tuple[str, ...] = ()  # calling AE titles that may associate; empty: nobody
    certificate: str = ""  # PEM files for TLS; empty: plain DICOM
    key: str = ""
    client_authority: str = ""  # PEM of the authority that signed the senders' certificates; given, a sender without one is refused
    associations: int = 20  # at once: a scanner, a PACS and some stations; each costs a thread
    idle_s: float = 60.0  # an association that sends nothing for so long is closed


@dataclass(frozen=True)
class IntakeSettings:
    """What happens to what comes in, by whichever way."""

    quiet_s: float = 60.0  # a study is complete when nothing came for so long: senders pause some seconds between series
    refused_wait_s: float = 900.0  # a study of which an instance was refused (no room, no database) waits so long for it: senders try again within minutes
    largest_mb: float = 2048.0  # one instance; an enhanced CT of 2000 frames has 1 GB
    keep_free_mb: float = 2048.0  # of the data folder's disk: below it senders are told "out of resources", so that running jobs can still end
    watched_folder: str = ""  # DICOM files put here are taken in; empty: none
    settle_s: float = 5.0  # a watched file is taken when it has not grown for so long
    poll_s: float = 2.0  # how often watched folder and quiet time are looked at


@dataclass(frozen=True)
class AnalysisSettings:
    """How a study is analysed."""

    options: tuple[str, ...] = ()  # of `ccta analyse`, for example "--flow", "rom"
    command: tuple[str, ...] = ()  # another program instead of `ccta analyse --resume`; it is given STUDY and CASE
    workers: int = 1  # analyses at once; one uses several cores and 6 GiB
    limit_minutes: float = 120.0  # an analysis with the slowest flow model takes some 20 minutes; one that hangs must end
    memory_mb: int = 16384  # of one process, private memory; 0: no limit
    tries: int = 3  # after a crash (not after bad input): a full disk or memory shortage passes
    retry_s: float = 60.0  # before the second try; doubled each time


@dataclass(frozen=True)
class Pacs:
    """One PACS: a DICOMweb URL, or host, port and AE title."""

    url: str = ""
    user: str = ""  # of the DICOMweb service
    password_file: str = ""  # first line of this file, readable by the server's account alone: no password stands in server.toml
    authority: str = ""  # PEM of the authority that signed the PACS's certificate; empty: the system's
    host: str = ""
    port: int = 104  # DICOM's well-known port
    ae_title: str = ""
    own_ae_title: str = ""  # the title we call with; empty: listen.ae_title
    retrieve: str = "get"  # "move": the PACS sends to own_ae_title, which it must know
    own_port: int = 0  # where the PACS sends for retrieve = "move"; 0: listen.port, which a running node has taken: give it own_ae_title and own_port then
    commitment: bool = False  # also ask for storage commitment; the PACS answers to our listener, and has to be among listen.callers
    tls: bool = False
    certificate: str = ""  # ours, PEM, where the PACS asks for one
    key: str = ""

    def __post_init__(self):
        if not self.url and not (self.host and self.ae_title):
            raise BadSettings("a PACS needs a DICOMweb url, or host and ae_title")
        if self.commitment and self.url:
            raise BadSettings("storage commitment is a service of DICOM, not of DICOMweb: give the PACS host and ae_title, or leave commitment out")
        if self.retrieve not in PACS_KINDS:
            raise BadSettings(f"retrieve is one of {PACS_KINDS}, got {self.retrieve!r}")
        for title in filter(None, (self.ae_title, self.own_ae_title)):
            _check_title(title)
        for name, lowest in (("port", 1), ("own_port", 0)):
            if not lowest <= getattr(self, name) <= LAST_PORT:
                raise BadSettings(f"{name} of a PACS is {getattr(self, name)}; ports are numbered {lowest} to {LAST_PORT}")


@dataclass(frozen=True)
class OutSettings:
    """Results back to a PACS."""

    destination: str = ""  # name of a [pacs.NAME] table; empty: results stay in the case
    retry_s: float = 30.0  # before the second try; doubled each time
    longest_retry_s: float = 3600.0  # a PACS that was down for a night is served within the hour
    timeout_s: float = 60.0  # of one request
    hold_drafts: bool = False  # results of a report wait in the case until it is signed; else a draft's are sent at once, as preliminary
    reject_drafts_as: str = ""  # "quality" or "safety": once signed, a Key Object Selection rejects the draft's objects (IHE IOCM); empty: they stay beside

    def __post_init__(self):
        if self.reject_drafts_as not in REJECTIONS:
            raise BadSettings(f"out.reject_drafts_as is one of {REJECTIONS}, got {self.reject_drafts_as!r}")

    def wait_s(self, tries: int) -> float:
        """Seconds after so many tries that failed: twice as long after each, up to the longest."""
        return min(self.retry_s * 2 ** min(tries - 1, 30), self.longest_retry_s)


@dataclass(frozen=True)
class WebSettings:
    """The web page and REST API."""

    host: str = "127.0.0.1"  # behind a reverse proxy, which does TLS
    port: int = 8080
    external_url: str = ""  # what people type; empty: http://host:port
    trusted_proxies: tuple[str, ...] = ("127.0.0.1",)  # whose X-Forwarded-For and -Proto are believed: the reverse proxy on this machine
    upload_mb: float = 4096.0  # one upload; a study of four phases has 1.1 GB


@dataclass(frozen=True)
class LoginSettings:
    """Times and limits of logins. Wrong passwords count per account and per address, whichever fills first; a count is forgotten after `lock_minutes`."""

    idle_minutes: float = 30.0  # without use (OWASP: 15-30 min for such data)
    absolute_hours: float = 12.0  # from the login on, in use or not: a working day
    tries_per_account: int = 5  # more are guesses, not slips
    tries_per_address: int = 20  # several people may share a workstation's address
    lock_minutes: float = 15.0  # 480 guesses a day at most
    least_letters: int = 12  # NIST SP 800-63B asks for 8, for 15 where nothing else guards


@dataclass(frozen=True)
class ViewerSettings:
    """The viewer processes, one for each login and open case."""

    idle_minutes: float = 30.0  # without use
    memory_mb: float = 3072.0  # resident, of one process; the demo patient takes 670
    most: int = 8  # at once; more are refused in a sentence
    start_s: float = 120.0  # until a viewer answers; the demo patient takes 5
    spare: bool = True  # one process waits with everything loaded (0.3 GB), so that a case opens some seconds sooner


@dataclass(frozen=True)
class ServerSettings:
    """All of the server. The table names in server.toml are these field names; `pacs` holds one table per PACS."""

    data: str = "ccta-server"  # studies, cases and the SQLite file; a place with room for 1 GB per study
    database: str = ""  # SQLAlchemy URL; empty: SQLite in the data folder. postgresql+psycopg://user@host/name for several machines
    listen: ListenSettings = field(default_factory=ListenSettings)
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    out: OutSettings = field(default_factory=OutSettings)
    web: WebSettings = field(default_factory=WebSettings)
    login: LoginSettings = field(default_factory=LoginSettings)
    viewer: ViewerSettings = field(default_factory=ViewerSettings)
    pacs: dict[str, Pacs] = field(default_factory=dict)

    def __post_init__(self):
        for title in (self.listen.ae_title, *self.listen.callers):
            _check_title(title)
        if bool(self.listen.certificate) != bool(self.listen.key):
            raise BadSettings("TLS of the listener needs both listen.certificate and listen.key")
        if self.out.destination and self.out.destination not in self.pacs:
            raise BadSettings(f"out.destination is {self.out.destination!r}, but there is no table [pacs.{self.out.destination}]")
        for name, pacs in self.pacs.items():
            if pacs.commitment and pacs.ae_title not in self.listen.callers:
                raise BadSettings(f"pacs.{name} commits to what it stores by calling us: name {pacs.ae_title} in listen.callers too")
            if pacs.own_port and pacs.own_ae_title in ("", self.listen.ae_title):
                raise BadSettings(
                    f"pacs.{name} has an own_port: a PACS sends to one port per AE title, so give an own_ae_title other than {self.listen.ae_title}"
                )
        for table, name in (("intake", "quiet_s"), ("intake", "poll_s"), ("analysis", "workers"), ("analysis", "tries"), ("analysis", "limit_minutes")):
            if not getattr(getattr(self, table), name) > 0:
                raise BadSettings(f"{table}.{name} must be more than 0, got {getattr(getattr(self, table), name)}")

    @property
    def data_folder(self) -> Path:
        return Path(self.data)

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.data_folder / 'server.sqlite'}"


def load_server_settings(path: Path | None) -> ServerSettings:
    """Settings from server.toml, defaults where it is silent (or None). Relative paths in it count from the file's folder."""
    if path is None:
        return ServerSettings()
    try:
        tables = tomllib.loads(path.read_text())
    except OSError as error:
        raise BadSettings(f"{path} cannot be read ({error.strerror}); give the server's settings file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not valid TOML ({error}); correct it") from error
    settings = server_settings(tables)
    return replace(settings, data=str(path.resolve().parent / settings.data))


def server_settings(tables: dict) -> ServerSettings:
    """Settings from the tables of a server.toml."""
    known = {f.name: f.default_factory for f in fields(ServerSettings)}
    unknown = set(tables) - set(known)
    if unknown:
        raise BadSettings(f"server.toml has {sorted(unknown)}; it may have {sorted(known)}")
    values = {name: _table(name, known[name], value) for name, value in tables.items()}
    return ServerSettings(**values)


def _table(name: str, cls, value):
    """One value of server.toml: a string, a table of settings, or the tables of all PACS."""
    if name in ("data", "database"):
        if not isinstance(value, str) or (name == "data" and not value):
            raise BadSettings(f"{name} must be text, got {value!r}")
        return value
    if not isinstance(value, dict):
        raise BadSettings(f"{name} must be a table [{name}], got {value!r}")
    if name == "pacs":
        return {pacs: _checked(f"pacs.{pacs}", Pacs, table) for pacs, table in value.items()}
    return _checked(name, cls, value)


def _checked(name: str, cls, table):
    """settings_from with annotations as text: tuples come as TOML arrays of text."""
    if not isinstance(table, dict):
        raise BadSettings(f"{name} must be a table [{name}], got {table!r}")
    kinds = {f.name: f.type for f in fields(cls)}
    values = {}
    for key, value in table.items():
        kind = kinds.get(key, "")
        if kind.startswith("tuple"):
            if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
                raise BadSettings(f"{name}.{key} must be a list of texts, got {value!r}")
            value = tuple(value)
        elif kind and (type(value).__name__ != kind and not (kind == "float" and type(value) is int)):
            raise BadSettings(f"{name}.{key} must be {kind}, got {value!r}")
        values[key] = value
    return settings_from(cls, values)
