"""One account of the simulated Flow: its images and videos, and the changes that tests make to them."""

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Unpack
from urllib.parse import quote

from webapp.demo import pictures
from webapp.demo.account.flow_google import FlowGoogleAccount
from webapp.demo.account.labs_sign_in import LabsSignIn
from webapp.demo.account.pagination import Cursors, Timeline
from webapp.demo.account.seeding import ASPECTS, Plan, plan
from webapp.demo.broken_rows import BREAKAGES
from webapp.demo.entries import (
    Entry,
    EntryChanges,
    Kind,
    caption_of,
    chance,
    name_of,
    random_uuid,
    version_of,
)

# The two histories of labs.google: uploads, and what Flow generated.
ASSET_MANAGER, PINHOLE = "ASSET_MANAGER", "PINHOLE"
MODELS = ("GEM_PIX_2", "GEM_PIX_2", "GEM_PIX", "IMAGEN_3_5", "NARWHAL")


class HistoryRefused(Exception):
    """The account has no history of this name."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    entries: tuple[Entry, ...]
    next_cursor: str | None


class World(LabsSignIn, FlowGoogleAccount):
    """One account of the simulated Flow. Any thread may call its methods.

    Every entry gets a position when it is added, and positions only grow: histories and cursors hold
    positions, so that a page continues where the last one ended although entries come and go.

    days: over how many days before `now` the first entries are spread.
    generated_in_drawer: ASSET_MANAGER lists what was generated as well.
    tiny_pictures: pictures have a few pixels, for worlds where only their number matters.
    fife_url_kinds: the kinds whose rows and records carry a preview URL.
    picture_url_lifetime_seconds: how long a signed URL works.
    """

    def __init__(
        self,
        seed: int = 1,
        uploaded: int = 0,
        generated: int = 0,
        videos: int = 0,
        *,
        now: datetime | None = None,
        email: str = "ada@example.com",
        owner: str = "Ada Example",
        generated_in_drawer: bool = False,
        tiny_pictures: bool = False,
        fife_url_kinds: Iterable[Kind] = (Kind.GENERATED,),
        days: float = 425.0,
    ) -> None:
        start = now or datetime.now(UTC)
        # Three generators, so that a renewed cookie or a second service changes no image of a seed.
        LabsSignIn.__init__(self, Random(f"{seed} {email} secrets"), start, email, owner)
        self.generated_in_drawer, self.tiny_pictures = generated_in_drawer, tiny_pictures
        self.fife_url_kinds = set(fife_url_kinds)
        self.picture_url_lifetime_seconds = 86_400.0
        self._rng = Random(f"{seed} {email}")
        self._secret = self._rng.randbytes(32)
        self._cursors = Cursors(self._secret, f"1{self._rng.randrange(10**20):020d}")
        FlowGoogleAccount.__init__(self, Random(f"{seed} {email} google"), email, self._cursors)
        self._timelines = {ASSET_MANAGER: Timeline(), PINHOLE: Timeline()}
        self._entries: dict[int, Entry] = {}
        self._positions: dict[str, int] = {}
        self._picture_positions: dict[str, int] = {}
        self._deleted: set[str] = set()
        self._refused: set[str] = set()
        self._position, self._latest = 0, datetime.min.replace(tzinfo=UTC)
        counts = {Kind.UPLOADED: uploaded, Kind.GENERATED: generated, Kind.VIDEO: videos}
        for planned in plan(self._rng, counts, start, days, seed * 1000):
            self._add(planned)
        self._number = seed * 1000 + len(self._entries)

    def add_uploaded(self, count: int = 1, project_id: str | None = None) -> list[str]:
        """Add uploads at the head of the history and return their names, oldest first.

        Each gets a project of its own unless `project_id` is given.
        """
        return [self._add(self._planned(Kind.UPLOADED, project_id)) for _ in range(count)]

    def add_generated(self, count: int = 1, project_id: str | None = None) -> list[str]:
        return [self._add(self._planned(Kind.GENERATED, project_id)) for _ in range(count)]

    def add_videos(self, count: int = 1, project_id: str | None = None) -> list[str]:
        return [self._add(self._planned(Kind.VIDEO, project_id)) for _ in range(count)]

    def add_version(self, name: str) -> str:
        """Add a version of an image and return its name.

        It shares the card of the original, and its media key is the original's plus `_upsampled`.
        """
        with self.lock:
            original = self.entry(name)
            planned = replace(
                self._planned(original.kind, original.project_id),
                number=original.number,
                variation=original.variation + 1,
                aspect=original.aspect,
            )
            key = f"{original.media_key}_upsampled"
            return self._add(planned, workflow_id=original.workflow_id, media_key=key, version="CAI")

    def add_project(
        self, title: str = "", project_id: str | None = None, made_at: datetime | None = None
    ) -> str:
        """Add an empty project and return its id."""
        with self.lock:
            planned = self._planned(Kind.UPLOADED, project_id)
            self._position, self._latest = self._position + 1, planned.moment
            self.projects.add(planned.project_id, self._position, made_at or planned.moment, title)
            return planned.project_id

    def add_archived_ingredient(self, project_id: str, title: str) -> str:
        """Add an upload of the old Flow to the project `archive_id`, show it as an ingredient of another
        project, and return its media key."""
        with self.lock:
            name = self._add(self._planned(Kind.UPLOADED, self.archive_id), version="CAE")
            key = self.entry(name).media_key
            has_preview = None if chance(key) else False
            self.change(name, title=title, caption=None, is_old_upload=True, fife_url_in_history=has_preview)
            self.add_ingredient(project_id, name)
            return key

    def remove_project(self, project_id: str) -> None:
        """Delete a project and everything in it."""
        with self.lock:
            for entry in self.entries_in(project_id):
                self.delete(entry.name)
            self.projects.remove(project_id)

    def entries_in(self, project_id: str) -> list[Entry]:
        """Return the entries of a project, oldest first, without broken ones."""
        with self.lock:
            return [
                entry
                for entry in self._entries.values()
                if entry.project_id == project_id and not entry.breakage
            ]

    def add_broken_entry(self, breakage: str = "without media", history: str = ASSET_MANAGER) -> str:
        """Add an entry whose row is broken and return its name. Raises ValueError for an unknown breakage."""
        if breakage not in BREAKAGES:
            raise ValueError(f"{breakage!r} is none of {', '.join(BREAKAGES)}")
        return self._add(self._planned(Kind.BROKEN), breakage, (history,))

    def delete(self, name: str) -> None:
        """Delete an entry: no listing has it any more, and the media service answers 404."""
        with self.lock:
            position = self._positions.pop(name)
            del self._picture_positions[self._entries.pop(position).picture_id]
            self._deleted.add(name)
            for timeline in self._timelines.values():
                timeline.remove(position)

    def change(self, name: str, **fields: Unpack[EntryChanges]) -> None:
        """Replace fields of an entry. Its name, and the histories that list it, stay the same."""
        with self.lock:
            position = self._positions[name]
            self._entries[position] = replace(self._entries[position], **fields)

    def expire_cursors(self) -> None:
        """Refuse all cursors made so far."""
        with self.lock:
            self._cursors.expire()

    def refuse_history(self, history: str, refused: bool = True) -> None:
        """Treat a history as one that the service does not have."""
        with self.lock:
            (self._refused.add if refused else self._refused.discard)(history)

    def page(self, history: str, size: int, cursor: str | None = None) -> HistoryPage:
        """Return one page, newest first. Raises HistoryRefused and `pagination.CursorRefused`."""
        with self.lock:
            if history not in self._timelines or history in self._refused:
                raise HistoryRefused(history)
            below = None if cursor is None else self._cursors.read(history, cursor)
            positions, more_follow = self._timelines[history].before(below, size)
            entries = tuple(self._entries[position] for position in positions)
            next_cursor = self._cursors.make(history, positions[-1]) if more_follow else None
            return HistoryPage(entries, next_cursor)

    def names(self, history: str = ASSET_MANAGER, *kinds: Kind) -> list[str]:
        """Return the names in a history, newest first: of some kinds, or of all."""
        with self.lock:
            entries = [self._entries[position] for position in self._timelines[history].newest_first()]
        return [entry.name for entry in entries if not kinds or entry.kind in kinds]

    def find(self, name: str) -> Entry | None:
        with self.lock:
            return self._entries.get(self._positions.get(name, -1))

    def entry(self, name: str) -> Entry:
        """Return an entry by its name. Raises KeyError."""
        with self.lock:
            return self._entries[self._positions[name]]

    def is_deleted(self, name: str) -> bool:
        return name in self._deleted

    def content(self, name: str) -> bytes:
        """Return the bytes of a picture, as a download should find them."""
        return self.content_of(self.entry(name))

    def content_of(self, entry: Entry) -> bytes:
        if entry.content is not None:
            return entry.content
        if self.tiny_pictures:
            return pictures.tiny(entry.number + 7919 * entry.variation, entry.picture_format)
        return pictures.encoded(entry.number, entry.variation, entry.aspect, entry.picture_format)

    def size_of(self, entry: Entry) -> tuple[int, int]:
        """Return the width and height of a picture without drawing it."""
        if entry.content is not None:
            return pictures.size_of(entry.content) or pictures.size()
        return pictures.TINY_SIZE if self.tiny_pictures else pictures.size(entry.aspect)

    def lists_fife_url(self, entry: Entry) -> bool:
        """Whether rows and records of an entry carry a preview URL."""
        if entry.fife_url_in_history is None:
            return entry.kind in self.fife_url_kinds
        return entry.fife_url_in_history

    def picture_path(self, entry: Entry) -> str:
        """Return the path of a signed URL at the picture storage, which needs no cookies but expires."""
        return f"/pictures/{entry.picture_id}?GoogleAccessId=x&{self._signed_expiry(entry)}"

    def asset_path(self, entry: Entry) -> str:
        """Return the path of a signed URL in the form of flow.google.com."""
        kind = "video" if entry.kind is Kind.VIDEO else "image"
        return f"/{kind}/{entry.picture_id}?{self._signed_expiry(entry, 'KeyName=labs-flow-prod&')}"

    def _signed_expiry(self, entry: Entry, between: str = "") -> str:
        expires = int(self.now().timestamp() + self.picture_url_lifetime_seconds)
        signature = quote(self._signature(entry.picture_id, str(expires)), safe="")
        return f"Expires={expires}&{between}Signature={signature}"

    def is_signed(self, picture_id: str, expires: str, signature: str) -> bool:
        """Whether this account signed the URL; it may have expired."""
        return hmac.compare_digest(self._signature(picture_id, expires).encode(), signature.encode())

    def find_picture(self, picture_id: str) -> Entry | None:
        with self.lock:
            return self._entries.get(self._picture_positions.get(picture_id, -1))

    def _signature(self, picture_id: str, expires: str) -> str:
        digest = hmac.digest(self._secret, f"{picture_id} {expires}".encode(), "sha256")
        return base64.b64encode(digest).decode()

    def _planned(self, kind: Kind, project_id: str | None = None) -> Plan:
        with self.lock:
            self._number += 1
            # Never older than what exists, so that positions are in the order of time.
            moment = max(self.now(), self._latest + timedelta(milliseconds=1))
            aspect, own_id = self._rng.choice(ASPECTS), random_uuid(self._rng)
            return Plan(kind, moment, self._number, 0, aspect, project_id or own_id)

    def _add(
        self,
        planned: Plan,
        breakage: str | None = None,
        histories: tuple[str, ...] = (),
        *,
        workflow_id: str | None = None,
        media_key: str | None = None,
        version: str | None = None,
    ) -> str:
        """Add an entry to the histories of its kind, or to the given ones, and return its name."""
        with self.lock:
            entry = self._entry(planned, breakage, workflow_id, media_key, version)
            self._position += 1
            self._latest, position = planned.moment, self._position
            self._entries[position] = entry
            self._positions[entry.name] = position
            self._picture_positions[entry.picture_id] = position
            if not breakage and entry.project_id != self.archive_id:
                self.projects.add(entry.project_id, position, planned.moment, _project_title(entry))
            for history in histories or self._histories_of(planned.kind):
                self._timelines[history].add(position)
            return entry.name

    def _histories_of(self, kind: Kind) -> tuple[str, ...]:
        if kind is Kind.UPLOADED:
            return (ASSET_MANAGER,)
        return (ASSET_MANAGER, PINHOLE) if self.generated_in_drawer else (PINHOLE,)

    def _entry(
        self,
        planned: Plan,
        breakage: str | None,
        workflow_id: str | None,
        media_key: str | None,
        version: str | None,
    ) -> Entry:
        workflow_id = workflow_id or random_uuid(self._rng)
        media_key = media_key or random_uuid(self._rng)
        return Entry(
            name=name_of(planned.kind, planned.project_id, workflow_id, media_key),
            kind=planned.kind,
            created_at=_create_time(planned.moment),
            media_key=media_key,
            workflow_id=workflow_id,
            project_id=planned.project_id,
            picture_id=media_key,
            number=planned.number,
            variation=planned.variation,
            aspect=planned.aspect,
            seed=self._rng.randrange(1_000_000),
            model_name=self._rng.choice(MODELS),
            breakage=breakage,
            version=version or version_of(planned.kind, media_key),
            caption=caption_of(planned.kind, planned.number, media_key),
        )


def _project_title(entry: Entry) -> str:
    return entry.shown_prompt.split(",")[-1].strip().capitalize()


def _create_time(moment: datetime) -> str:
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if moment.microsecond else "%Y-%m-%dT%H:%M:%SZ"
    return moment.strftime(form)
