"""Profiles of Firefox without a Firefox: the files that it writes, with the columns and encodings that a
real one was seen to use. `test_firefox.py` tries the same with a real one."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

LATER = 4_000_000_000
COLUMNS = (
    "id INTEGER PRIMARY KEY, originAttributes TEXT NOT NULL DEFAULT '', name TEXT, value TEXT, host TEXT, "
    "path TEXT, expiry INTEGER, lastAccessed INTEGER, creationTime INTEGER, isSecure INTEGER, "
    "isHttpOnly INTEGER, inBrowserElement INTEGER DEFAULT 0, sameSite INTEGER DEFAULT 0, "
    "schemeMap INTEGER DEFAULT 0, isPartitionedAttributeSet INTEGER DEFAULT 0, updateTime INTEGER, "
    "CONSTRAINT moz_uniqueid UNIQUE (name, host, path, originAttributes)"
)
CONTAINERS = [
    {"userContextId": 1, "public": True, "l10nId": "user-context-personal"},
    {"userContextId": 2, "public": True, "l10nID": "userContextWork.label"},
    {"userContextId": 6, "public": True, "name": "  Ada's   own "},
    {"userContextId": 5, "public": False, "name": "userContextIdInternal.thumbnail"},
]

# Origin attributes, name, value, host, expiry in seconds.
Row = tuple[str, str, str, str, int]


def rows_of(cookies: dict[str, str], attributes: str = "", expiry: int = LATER) -> list[Row]:
    """Google's sign-in cookies under the hosts that Google sets them for."""
    return [
        (attributes, name, value, "flow.google.com" if name.endswith("OSID") else ".google.com", expiry)
        for name, value in cookies.items()
    ]


def write_profile(folder: Path, rows: Iterable[Row], *, version: int = 17, containers: bool = True) -> Path:
    """Write the files of a profile, replacing those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cookies.sqlite"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE moz_cookies ({COLUMNS})")
        connection.executemany(
            "INSERT INTO moz_cookies (originAttributes, name, value, host, path, expiry) "
            "VALUES (?, ?, ?, ?, '/', ?)",
            [(*row[:4], row[4] * (1000 if version >= 16 else 1)) for row in rows],
        )
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    if containers:
        (folder / "containers.json").write_text(json.dumps({"version": 6, "identities": CONTAINERS}))
    (folder / "compatibility.ini").write_text("[Compatibility]\nLastVersion=153.8.0_20261117/20261117\n")
    return folder


def packed(text: bytes) -> bytes:
    """A `.jsonlz4` that holds the text as it is, without a match."""
    length, lengths = len(text), b""
    if length >= 15:
        rest = length - 15
        lengths = b"\xff" * (rest // 255) + bytes([rest % 255])
    token = bytes([min(length, 15) << 4])
    return b"mozLz40\x00" + length.to_bytes(4, "little") + token + lengths + text


def session_document(cookies: dict[str, str], **attributes: object) -> bytes:
    """The text of a session store with these session cookies."""
    origin = {"firstPartyDomain": "", "privateBrowsingId": 0, **attributes}
    rows = [
        {"name": name, "value": value, "host": host, "path": "/", "originAttributes": origin}
        for _, name, value, host, _ in rows_of(cookies)
    ]
    return json.dumps({"windows": [], "cookies": rows}).encode()


class WrittenFirefox:
    """Has the methods of `marionette.Firefox`, and writes files as that does."""

    def __init__(self, folder: Path) -> None:
        self.folder = write_profile(folder, ())
        self._rows: dict[tuple[str, str], Row] = {}
        self._session: dict[str, str] = {}

    def set_cookies(
        self, cookies: dict[str, str], *, container: int | None = None, is_session: bool = False
    ) -> None:
        if is_session:
            self._session |= cookies
            return
        attributes = f"^userContextId={container}" if container else ""
        self._rows |= {(attributes, row[1]): row for row in rows_of(cookies, attributes)}
        write_profile(self.folder, self._rows.values())

    def sign_out(self) -> None:
        self._rows, self._session = {}, {}
        write_profile(self.folder, ())

    def save_session(self) -> None:
        (self.folder / "sessionstore-backups").mkdir(exist_ok=True)
        store = self.folder / "sessionstore-backups" / "recovery.jsonlz4"
        store.write_bytes(packed(session_document(self._session)))
