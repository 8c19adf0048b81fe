"""Finds the profiles of Firefox on this machine, and the containers in them."""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from webapp.sources.firefox.bounded import NotReadable, read_bounded
from webapp.sources.firefox.profiles_ini import NamedFolder, read_profiles_ini
from webapp.times import timestamp

MAX_PROFILES = 50
MAX_CONTAINERS = 50
_MAX_INI_BYTES = 256 * 1024
_MAX_JSON_BYTES = 1024 * 1024
# Firefox names its first four containers by the key of a translation, which was another in older versions.
_BUILT_IN = re.compile(r"user-?context-?(personal|work|banking|shopping)(?:\.label)?", re.IGNORECASE)
_SYSTEMS = {
    "linux": "X11; Linux x86_64",
    "darwin": "Macintosh; Intel Mac OS X 10.15",
    "win32": "Windows NT 10.0; Win64; x64",
}


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a profile, which has cookies of its own. `id` is its `userContextId`."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class FirefoxProfile:
    """A profile of Firefox. `key` names it in requests, so that none names a path.

    `package` is "Snap" or "Flatpak" for a Firefox from there. `used_at` (of `webapp.times`) is when its
    cookies last changed. `is_default`: Firefox opens it by itself.
    """

    folder: Path
    name: str
    package: str
    used_at: str
    is_default: bool
    containers: tuple[Container, ...]

    @property
    def key(self) -> str:
        return hashlib.sha256(str(self.folder).encode("utf-8", "surrogateescape")).hexdigest()[:12]

    def container_name(self, container: int | None) -> str:
        """The name of a container for a person; empty for none."""
        if container is None:
            return ""
        return next((one.name for one in self.containers if one.id == container), f"container {container}")


def find_profiles(roots: Iterable[Path]) -> list[FirefoxProfile]:
    """The profiles in the folders where Firefox keeps them, the last used one first.

    Only those with a cookie file: Firefox also makes profiles that nobody ever used. The profiles of its own
    profile menu are not all named in `profiles.ini`, so their folders are looked for as well.
    """
    found: dict[Path, tuple[NamedFolder, float, Path]] = {}
    for root in roots:
        for named in _named_folders(root):
            if (used_at := _used_at(named.folder)) is not None:
                found.setdefault(_resolved(named.folder), (named, used_at, root))
    newest = sorted(found.items(), key=lambda entry: entry[1][1], reverse=True)[:MAX_PROFILES]
    return [_profile(folder, named, used_at, root) for folder, (named, used_at, root) in newest]


def _named_folders(root: Path) -> Iterator[NamedFolder]:
    with suppress(NotReadable):
        yield from read_profiles_ini(read_bounded(root / "profiles.ini", _MAX_INI_BYTES), root)
    for pattern in ("*/cookies.sqlite", "Profiles/*/cookies.sqlite"):
        try:
            yield from (NamedFolder(path.parent, "", False) for path in sorted(root.glob(pattern)))
        except OSError:
            continue


def _used_at(folder: Path) -> float | None:
    """When the cookies of a profile last changed, None if it has none."""
    try:
        times = [(folder / "cookies.sqlite").lstat().st_mtime]
        times += [path.lstat().st_mtime for path in (folder / "cookies.sqlite-wal",) if path.exists()]
    except (OSError, ValueError):
        return None
    return max(times)


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (OSError, RuntimeError):
        return folder


def _profile(folder: Path, named: NamedFolder, used_at: float, root: Path) -> FirefoxProfile:
    return FirefoxProfile(
        folder,
        named.name or _name_of(folder),
        "Snap" if "snap" in root.parts else "Flatpak" if "org.mozilla.firefox" in root.parts else "",
        timestamp(datetime.fromtimestamp(max(0.0, min(used_at, 4e9)), UTC)),
        named.is_default,
        tuple(_containers(folder)),
    )


def _name_of(folder: Path) -> str:
    """The name in a folder such as `x1y2z3.default-release`."""
    prefix, dot, name = folder.name.partition(".")
    return (name if dot and name and prefix else folder.name)[:100]


def describe_profile(folder: Path, container: int | None) -> str:
    """A profile for a sentence: “profile “work”, container “Shop””."""
    names = {one.id: one.name for one in _containers(folder)} if container is not None else {}
    inside = f", container “{names.get(container, container)}”" if container is not None else ""
    return f"profile “{_name_of(folder)}”{inside}"


def _containers(folder: Path) -> Iterator[Container]:
    """The containers that a person can open. The others belong to Firefox itself."""
    try:
        document = json.loads(read_bounded(folder / "containers.json", _MAX_JSON_BYTES))
    except (NotReadable, ValueError, RecursionError):
        return
    identities = document.get("identities") if isinstance(document, dict) else None
    public = (
        one for one in identities or () if isinstance(one, dict) and one.get("public") is True
    ) if isinstance(identities, list) else ()  # fmt: skip
    for one, _ in zip(public, range(MAX_CONTAINERS), strict=False):
        number = one.get("userContextId")
        if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**31:
            yield Container(number, _container_name(one, number))


def _container_name(identity: dict[str, object], number: int) -> str:
    name = identity.get("name")
    if isinstance(name, str) and name.strip():
        return " ".join(name.split())[:60]
    key = identity.get("l10nId") or identity.get("l10nID")
    built_in = _BUILT_IN.fullmatch(key) if isinstance(key, str) else None
    return built_in[1].capitalize() if built_in else f"Container {number}"


def read_user_agent(folder: Path, platform: str = sys.platform) -> str | None:
    """The user agent that the Firefox of a profile sends, None if its version is not known.

    A session that suddenly comes from another browser looks stolen.
    """
    try:
        text = read_bounded(folder / "compatibility.ini", _MAX_INI_BYTES).decode("utf-8", "replace")
    except NotReadable:
        return None
    version = re.search(r"^LastVersion=(\d{2,4})\.", text, re.MULTILINE)
    system = _SYSTEMS.get(platform)
    if version is None or system is None:
        return None
    return f"Mozilla/5.0 ({system}; rv:{version[1]}.0) Gecko/20100101 Firefox/{version[1]}.0"
