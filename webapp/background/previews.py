"""Previews for cards in view: fresh signed addresses, a few at a time, only in memory."""

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import UTC, datetime

from webapp import store
from webapp.background.accounts import require_no_cooldown
from webapp.background.connections import Connections
from webapp.config import Config
from webapp.database.models import Image
from webapp.errors import FlowshelfError, ImageRefused
from webapp.sources.retry import Stopped
from webapp.sources.signed_urls import is_good
from webapp.store import profiles
from webapp.store.gallery import images

log = logging.getLogger(__name__)

THREADS_PER_PROFILE = 3
# More than a few screens: what was asked for first has been scrolled past by then.
MAX_IN_LINE = 240


class Previews:
    """Nothing here outlives the process: a card that is looked at again asks again."""

    def __init__(self, config: Config, connections: Connections, stopping: threading.Event) -> None:
        self._hosts = config.all_picture_hosts
        self._connections = connections
        self._stopping = stopping
        self._lock = threading.Lock()
        self._lines: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=MAX_IN_LINE))
        self._under_way: set[str] = set()
        self._refused: set[str] = set()
        self._thread_counts: dict[str, int] = defaultdict(int)

    def request(self, image_ids: Iterable[str], *, again: bool = False) -> None:
        """Have addresses fetched for those images that have neither file nor a good address.

        What Flow has no address for is not asked for again. With `again` an address that looks good is
        renewed as well: a browser found that it is not.
        """
        now = datetime.now(UTC)
        for image in images.list_by_ids(image_ids):
            has_picture = image.local_path or (is_good(image.fife_url, self._hosts, now) and not again)
            if not has_picture:
                self._line_up(image)

    def list_under_way(self, image_ids: Iterable[str]) -> list[str]:
        """Those of the images whose address is still being fetched."""
        with self._lock:
            return [image_id for image_id in image_ids if image_id in self._under_way]

    def _line_up(self, image: Image) -> None:
        with self._lock:
            if image.id in self._under_way or image.id in self._refused or self._stopping.is_set():
                return
            line = self._lines[image.profile_id]
            if len(line) == line.maxlen:
                self._under_way.discard(line[0])
            line.append(image.id)
            self._under_way.add(image.id)
            if self._thread_counts[image.profile_id] < THREADS_PER_PROFILE:
                self._thread_counts[image.profile_id] += 1
                threading.Thread(target=self._work, args=(image.profile_id,), daemon=True).start()

    def _work(self, profile_id: str) -> None:
        try:
            with store.connection():
                while image_id := self._next(profile_id):
                    self._resolve(profile_id, image_id)
        except Exception:
            log.exception("Previews of %s ended in a way nobody expected", profile_id)
            with self._lock:
                self._leave(profile_id)

    def _next(self, profile_id: str) -> str | None:
        """The next in line; without one this thread leaves, under the lock that `_line_up` takes."""
        with self._lock:
            line = self._lines[profile_id]
            if line and not self._stopping.is_set():
                return line.pop()  # what came last is what is in view now
            self._leave(profile_id)
            return None

    def _leave(self, profile_id: str) -> None:
        self._thread_counts[profile_id] -= 1
        if not self._thread_counts[profile_id]:
            self._under_way.difference_update(self._lines.pop(profile_id, ()))

    def _resolve(self, profile_id: str, image_id: str) -> None:
        has_none = False
        try:
            url = self._ask(profile_id, image_id)
            has_none = url is None
            if url:
                images.note_fresh_preview(image_id, url)
        except ImageRefused:
            has_none = True
        except (FlowshelfError, Stopped) as error:
            log.debug("No preview of %s: %s", image_id, error)
        finally:  # whatever happened: a card asks again and again for what is under way
            with self._lock:
                self._under_way.discard(image_id)
                if has_none:
                    self._refused.add(image_id)

    def _ask(self, profile_id: str, image_id: str) -> str | None:
        require_no_cooldown(profiles.get_profile(profile_id))  # nobody looks at a card for an hour
        connection = self._connections.of(profile_id)
        image = images.get_image(image_id)
        return connection.retry.call(
            lambda: connection.source.preview_url(image.name, image.media_key), self._stopping
        )
