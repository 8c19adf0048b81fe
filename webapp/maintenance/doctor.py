"""Looks at everything that Flowshelf stands on and says of each what is so and what to do about it.

Nothing is changed or made by looking: the database may be damaged, from another version, or in use.
"""

import os
import platform
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

from webapp import database, storage
from webapp.config import Config
from webapp.database.models import Image
from webapp.database.states import Health
from webapp.errors import FlowshelfError
from webapp.sources.connectivity import check_connection
from webapp.times import parsed

LIBRARIES = ("Flask", "peewee", "waitress", "requests", "urllib3", "pillow")
LOW_SPACE_BYTES = 200_000_000
EXPIRES_SOON = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one subject; when it is not well the sentence says what to do."""

    subject: str
    is_well: bool
    sentence: str


def examine(config: Config) -> Iterator[Finding]:
    """All but the cookies, which are asked of Flow by whoever owns the data folder (`examine_profile`)."""
    yield versions()
    yield folder_of(config)
    if os.path.isdir(config.data_dir):  # False, and no error, on a disk that does not answer
        yield from modes(config)
        yield from disks(config)
        yield database_of(config)
    yield from services(config)


def versions() -> Finding:
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    return Finding(
        "versions",
        True,
        f"Flowshelf {metadata.version('flowshelf')}, tables {database.latest_version()}, Python "
        f"{platform.python_version()} on {sys.platform}, SQLite {sqlite3.sqlite_version}, {libraries}.",
    )


def folder_of(config: Config) -> Finding:
    folder = config.data_dir
    try:
        with storage.translate_errors(folder):
            if not folder.is_dir():
                sentence = f"{folder} is not there yet. Start Flowshelf once to make it."
                return Finding("data folder", False, sentence)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"x")
                file.flush()
    except FlowshelfError as error:
        return Finding("data folder", False, str(error))
    if share := storage.network_share_of(folder, config.mounts_path):
        return Finding(
            "data folder",
            False,
            f"{folder} lies on a network share ({share}), where the database is slow and less safe. Move it "
            "to a disk of this machine; pictures may stay there, see FLOWSHELF_STORAGE_ROOTS.",
        )
    return Finding("data folder", True, f"{folder} can be written to.")


def modes(config: Config) -> Iterator[Finding]:
    """Who else may look into the folder; Windows has no such modes."""
    if os.name == "nt":
        return
    paths = (config.data_dir, *config.own_files)
    open_ones = [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_ones:
        commands = "; ".join(f"chmod {700 if path.is_dir() else 600} '{path}'" for path in open_ones)
        yield Finding("modes", False, f"Others on this machine may look into it. Run: {commands}")
    else:
        yield Finding("modes", True, "Nobody else on this machine may look into it.")


def disks(config: Config) -> Iterator[Finding]:
    needed = _bytes_to_come(config)
    for root in (config.images_dir, *config.storage_roots):
        try:
            storage.require_root(root, [root])
            free = storage.free_bytes(root)
        except FlowshelfError as error:
            yield Finding("disk", False, str(error))
            continue
        needed_here = max(needed if root == config.images_dir else 0, LOW_SPACE_BYTES)
        if free >= needed_here:
            yield Finding("disk", True, f"{root} has {free / 1e9:,.1f} GB free.")
        else:
            yield Finding(
                "disk",
                False,
                f"{root} has {free / 1e6:,.0f} MB free, and {needed_here / 1e6:,.0f} MB should be: for the "
                "images that are pending, and some to spare. Make room there.",
            )


def _bytes_to_come(config: Config) -> float:
    """What the images without a file will need, by the size of those that have one; 0 when unknown."""
    try:
        with database.translate_errors(), closing(database.open_read_only(config.database_path)) as reader:
            (needed,) = reader.execute(
                f"""SELECT avg(size_bytes) * sum(local_path IS NULL AND hidden_at IS NULL
                    AND not_wanted_at IS NULL AND gone_upstream_at IS NULL)
                    FROM {Image._meta.table_name}"""
            ).fetchone()
    except (FlowshelfError, sqlite3.Error):
        return 0
    return needed or 0


def database_of(config: Config) -> Finding:
    path = config.database_path
    if not path.exists():
        return Finding("database", False, f"{path} is not there yet. Start Flowshelf once to make it.")
    try:
        found = database.check(path)
        with database.translate_errors(), closing(database.open_read_only(path)) as reader:
            (verdict,) = reader.execute("PRAGMA integrity_check(1)").fetchone()
            is_whole = verdict == "ok" and reader.execute("PRAGMA foreign_key_check").fetchone() is None
    except FlowshelfError as error:
        return Finding("database", False, str(error))
    if not is_whole:
        sentence = "The database is damaged. End Flowshelf, keep the file, and put a backup in its place."
        return Finding("database", False, sentence)
    # The index of words comes last: it is missing where somebody ended the program while that was made.
    if database.is_behind(found) or "image_text" not in found.tables:
        sentence = f"It is whole, of version {found.version}. Start Flowshelf: it is brought up to date then."
        return Finding("database", False, sentence)
    size, index_size = path.stat().st_size / 1e6, _index_bytes(path) / 1e6
    sizes = f"{size:,.1f} MB, {index_size:,.1f} MB of it for the search"
    return Finding("database", True, f"It is whole, of version {found.version}, {sizes}.")


def _index_bytes(path: Path) -> int:
    with database.translate_errors(), closing(database.open_read_only(path)) as reader:
        (found,) = reader.execute("SELECT SUM(LENGTH(block)) FROM image_text_data").fetchone()
    return found


def services(config: Config) -> Iterator[Finding]:
    for variable, url in (
        ("FLOWSHELF_LABS_URL", config.labs_url),
        ("FLOWSHELF_MEDIA_URL", config.media_url),
        ("FLOWSHELF_FLOW_URL", config.flow_url),
    ):
        try:
            check_connection(url, config.timeout_seconds[0])
        except FlowshelfError as error:
            yield Finding("reachability", False, f"{error} ({variable})")
        else:
            yield Finding("reachability", True, f"{url} can be reached.")


def profile_of(profile: dict, error: FlowshelfError | None, moment: datetime) -> Finding:
    """A profile as the API tells it, once Flow was asked about its cookies; `error` is what came of that."""
    subject = f"cookies of “{profile['name']}”"
    if error:
        return Finding(subject, False, str(error))
    if profile["health"] != Health.WELL:
        return Finding(subject, False, profile["healthReason"] or "Paste the cookies again on its page.")
    end = profile["cookiesExpireAt"] and parsed(profile["cookiesExpireAt"])
    if end and end < moment + EXPIRES_SOON:
        sentence = f"They end on {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC. Paste new ones before."
        return Finding(subject, False, sentence)
    return Finding(subject, True, f"They sign in {profile['accountEmail']}.")
