"""Checks what Flowshelf depends on, and says what to do where a check fails.

Nothing is changed or created by a check: the database may be damaged, of another version, or in use.
"""

import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import TypedDict

from webapp import database, storage
from webapp.config import Config
from webapp.database.models import Image
from webapp.database.states import Health
from webapp.errors import FlowshelfError
from webapp.sources.connectivity import check_connection, trusted_certificates
from webapp.times import parsed

LIBRARIES = ("Flask", "peewee", "waitress", "requests", "urllib3", "truststore", "pillow")
LOW_SPACE_BYTES = 200_000_000
_SOME_FILES = """SELECT storage_root.path, local_path FROM veo3_image_generations
    LEFT JOIN storage_root ON storage_root.id = root_id WHERE local_path IS NOT NULL ORDER BY name LIMIT 50"""
_FAILED_NOTIFICATION = """SELECT failed_at, failure FROM notification WHERE failure IS NOT NULL
    ORDER BY failed_at DESC LIMIT 1"""
EXPIRES_SOON = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. When it failed, the sentence says what to do."""

    subject: str
    is_well: bool
    sentence: str


class ProfileHealth(TypedDict):
    """What `check_profile` reads of a profile as the JSON API returns it."""

    name: str
    accountEmail: str | None
    health: str
    healthReason: str | None
    cookiesExpireAt: str | None


def run_checks(config: Config) -> Iterator[Check]:
    """All checks except those of the cookies (`check_profile`).

    For these, the process that owns the data folder has to ask Flow.
    """
    yield check_versions()
    yield check_folder(config)
    # os.path.isdir, because it returns False (no OSError) for a disk that does not respond.
    if os.path.isdir(config.data_dir):
        yield from check_modes(config)
        yield from check_disks(config)
        yield check_database(config)
        yield from check_files(config)
    yield from check_services(config)
    yield check_notifications(config)


def check_versions() -> Check:
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    return Check(
        "versions",
        True,
        f"Flowshelf {metadata.version('flowshelf')}, tables {database.latest_version()}, Python "
        f"{platform.python_version()} on {sys.platform}, SQLite {sqlite3.sqlite_version}, {libraries}.",
    )


def check_folder(config: Config) -> Check:
    folder = config.data_dir
    try:
        with storage.translate_errors(folder):
            if not folder.is_dir():
                sentence = f"{folder} does not exist yet. Start Flowshelf once to create it."
                return Check("data folder", False, sentence)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"x")
                file.flush()
    except FlowshelfError as error:
        return Check("data folder", False, str(error))
    if share := storage.network_share_of(folder, config.mounts_path):
        return Check(
            "data folder",
            False,
            f"{folder} is on a network share ({share}), where the database is slow and less safe. Move it to "
            "a disk of this machine; images may stay on the share, see FLOWSHELF_STORAGE_ROOTS.",
        )
    return Check("data folder", True, f"{folder} is writable.")


def check_modes(config: Config) -> Iterator[Check]:
    """Checks that only the owner has access to the data folder. Windows has no such modes."""
    if os.name == "nt":
        return
    problem = find_open_modes(config)
    yield Check("modes", problem is None, problem or "Only you have access to it.")


def find_open_modes(config: Config) -> str | None:
    """What to do about a data folder that other users of this machine can use; None when all is well."""
    paths = (config.data_dir, *config.own_files)
    too_open = [path for path in paths if os.name != "nt" and storage.is_open_to_others(path)]
    if not too_open:
        return None
    folder, beginning = config.data_dir, f"Other users of this machine have access to {config.data_dir}"
    if folder.stat().st_uid != os.geteuid() != 0:
        return f"{beginning}, which belongs to another user. Run Flowshelf as that user, or use chown."
    if not _keeps_modes(folder):
        return (
            f"{beginning}: its disk keeps no access rights, as with exFAT and some network disks. If anybody "
            "else uses this machine, move it to another disk."
        )
    commands = "; ".join(f"chmod {700 if path.is_dir() else 600} '{path}'" for path in too_open)
    return f"{beginning}. Run: {commands}"


def _keeps_modes(folder: Path) -> bool:
    """Whether a new file gets the mode that it is created with. A folder that cannot be written to counts."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=storage.PART_PREFIX) as file:  # mode 0600
            os.chmod(file.name, 0o600)
            return not storage.is_open_to_others(Path(file.name))
    except PermissionError:
        return False
    except OSError:
        return True


def check_disks(config: Config) -> Iterator[Check]:
    needed = _pending_bytes(config)
    for root in (config.images_dir, *config.storage_roots):
        try:
            storage.require_root(root, [root])
            free = storage.free_bytes(root)
        except FlowshelfError as error:
            yield Check("disk", False, str(error))
            continue
        needed_here = max(needed if root == config.images_dir else 0, LOW_SPACE_BYTES)
        if free >= needed_here:
            yield Check("disk", True, f"{root} has {free / 1e9:,.1f} GB free.")
        else:
            yield Check(
                "disk",
                False,
                f"{root} has {free / 1e6:,.0f} MB free. The pending images and a reserve need "
                f"{needed_here / 1e6:,.0f} MB. Make room there.",
            )


def _pending_bytes(config: Config) -> float:
    """The disk space that the pending images will need, estimated from the average file; 0 when unknown."""
    try:
        path = config.database_path
        with database.translate_damage(path), closing(database.open_read_only(path)) as reader:
            (needed,) = reader.execute(
                f"""SELECT avg(size_bytes) * sum(local_path IS NULL AND hidden_at IS NULL
                    AND not_wanted_at IS NULL AND gone_upstream_at IS NULL)
                    FROM {Image._meta.table_name}"""
            ).fetchone()
    except FlowshelfError:
        return 0
    return needed or 0


def check_database(config: Config) -> Check:
    path = config.database_path
    if not path.exists():
        return Check("database", False, f"{path} does not exist yet. Start Flowshelf once to create it.")
    try:
        found = database.check(path)
        with database.translate_damage(path), closing(database.open_read_only(path)) as reader:
            (verdict,) = reader.execute("PRAGMA integrity_check(1)").fetchone()
            is_whole = verdict == "ok" and reader.execute("PRAGMA foreign_key_check").fetchone() is None
            index_bytes = _index_bytes(reader) if is_whole and "image_text_data" in found.tables else 0
    except FlowshelfError as error:
        return Check("database", False, str(error))
    if not is_whole:
        return Check("database", False, database.with_journals(database.DAMAGED, path))
    # The index of words is created last, so it is missing if the program was killed before.
    if database.is_behind(found) or "image_text" not in found.tables:
        sentence = f"It is intact, of version {found.version}. Start Flowshelf to bring it up to date."
        return Check("database", False, sentence)
    size, index_size = path.stat().st_size / 1e6, index_bytes / 1e6
    sizes = f"{size:,.1f} MB, {index_size:,.1f} MB of them for the search"
    return Check("database", True, f"It is intact, of version {found.version}, {sizes}.")


def check_files(config: Config) -> Iterator[Check]:
    """Whether the files of a few images are where they are recorded; nothing without a readable database."""
    try:
        path = config.database_path
        with database.translate_damage(path), closing(database.open_read_only(path)) as reader:
            rows = reader.execute(_SOME_FILES).fetchall()
    except FlowshelfError:
        return
    missing = [path for root, path in rows if not Path(root or config.images_dir, path).is_file()]
    if missing:
        yield Check(
            "files",
            False,
            f"{len(missing)} of {len(rows)} files that were looked at are not there, for example "
            f"{missing[0]}. If their folder was moved, “flowshelf verify” finds it and says how to go on.",
        )
    elif rows:
        yield Check("files", True, f"{len(rows)} files that were looked at are where they are recorded.")


def _index_bytes(reader: sqlite3.Connection) -> int:
    (found,) = reader.execute("SELECT SUM(LENGTH(block)) FROM image_text_data").fetchone()
    return found or 0


def check_services(config: Config) -> Iterator[Check]:
    for variable, url in (
        ("FLOWSHELF_LABS_URL", config.labs_url),
        ("FLOWSHELF_MEDIA_URL", config.media_url),
        ("FLOWSHELF_FLOW_URL", config.flow_url),
    ):
        try:
            way = check_connection(config, url)
        except FlowshelfError as error:
            yield Check("reachability", False, f"{error} ({variable})")
        else:
            yield Check("reachability", True, f"{url} can be reached {way}.")
    yield Check("certificates", True, f"Those of {trusted_certificates(config)} are trusted.")


def check_notifications(config: Config) -> Check:
    """Where notifications go, and whether the latest one could be sent."""
    targets = [str(each) for each in (config.notify_url, config.notify_command) if each]
    if not targets:
        sentence = (
            "None are sent. FLOWSHELF_NOTIFY_URL or FLOWSHELF_NOTIFY_COMMAND would tell you of problems."
        )
        return Check("notifications", True, sentence)
    try:
        path = config.database_path
        with database.translate_damage(path), closing(database.open_read_only(path)) as reader:
            failures = reader.execute(_FAILED_NOTIFICATION).fetchall()
    except FlowshelfError:  # a check of its own says what is wrong with the database
        failures = []
    for failed_at, failure in failures:
        return Check("notifications", False, f"The one of {failed_at[:16]} UTC could not be sent. {failure}")
    sentence = f"They go to {' and '.join(targets)}. “flowshelf doctor --notify” sends a test."
    return Check("notifications", True, sentence)


def check_profile(profile: ProfileHealth, error: FlowshelfError | None, moment: datetime) -> Check:
    """The check of a profile's cookies, after Flow was asked about them. `error`: how that failed."""
    subject = f"cookies of “{profile['name']}”"
    if error:
        return Check(subject, False, str(error))
    if profile["health"] != Health.WELL:
        return Check(subject, False, profile["healthReason"] or "Paste the cookies again on its page.")
    expire_at = parsed(profile["cookiesExpireAt"]) if profile["cookiesExpireAt"] else None
    if expire_at and expire_at < moment + EXPIRES_SOON:
        sentence = f"They expire on {expire_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC. Paste new ones before."
        return Check(subject, False, sentence)
    return Check(subject, True, f"They sign in to {profile['accountEmail']}.")
