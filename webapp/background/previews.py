"""Previews: fetches fresh signed URLs for the cards in view, a few at a time."""

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import UTC, datetime

from webapp import store
from webapp.background.accounts import require_no_cooldown
from webapp.background.connections import Connections
from webapp.background.troubles import log_failure
from webapp.config import Config
from webapp.database.models import Image
from webapp.errors import FlowshelfError, ImageRefused
from webapp.sources.retry import Stopped
from webapp.sources.signed_urls import is_good
from webapp.store import profiles
from webapp.store.gallery import images

log = logging.getLogger(__name__)

THREADS_PER_PROFILE = 3
# A few screens of cards. What was requested earlier has been scrolled past by then.
MAX_QUEUE_LENGTH = 240


class Previews:
    """The queues are in memory only: a card that is in view again requests its preview again.

    `_lock` guards the queues and the counts of threads. A thread ends under the lock, after it found its
    queue empty; so a request either finds the thread still counted and reading the queue, or starts a new
    one.
    """

    def __init__(self, config: Config, connections: Connections, stopping: threading.Event) -> None:
        self._hosts = config.all_picture_hosts
        self._connections = connections
        self._stopping = stopping
        self._lock = threading.Lock()
        self._queues: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=MAX_QUEUE_LENGTH))
        self._pending: set[str] = set()
        self._refused: set[str] = set()
        self._thread_counts: dict[str, int] = defaultdict(int)

    def request(self, image_ids: Iterable[str], *, again: bool = False) -> None:
        """Fetch URLs for those of the images that have neither a file nor a URL that still works.

        `again`: a browser could not load the URL, so fetch a new one although it looks good. Images for which
        Flow has no URL are not asked for twice.
        """
        now = datetime.now(UTC)
        for image in images.list_by_ids(image_ids):
            has_picture = image.local_path or (is_good(image.fife_url, self._hosts, now) and not again)
            if not has_picture:
                self._enqueue(image)

    def list_under_way(self, image_ids: Iterable[str]) -> list[str]:
        """Those of the images whose URL is queued or being fetched."""
        with self._lock:
            return [image_id for image_id in image_ids if image_id in self._pending]

    def _enqueue(self, image: Image) -> None:
        with self._lock:
            if image.id in self._pending or image.id in self._refused or self._stopping.is_set():
                return
            queue = self._queues[image.profile_id]
            if len(queue) == queue.maxlen:
                self._pending.discard(queue[0])  # which `append` drops
            queue.append(image.id)
            self._pending.add(image.id)
            if self._thread_counts[image.profile_id] < THREADS_PER_PROFILE:
                self._thread_counts[image.profile_id] += 1
                threading.Thread(target=self._run, args=(image.profile_id,), daemon=True).start()

    def _run(self, profile_id: str) -> None:
        try:
            with store.connection():
                while image_id := self._next(profile_id):
                    self._fetch(profile_id, image_id)
        except Exception as error:
            log_failure(f"a thread for previews of {profile_id} ended", error)
            with self._lock:
                self._count_out(profile_id)

    def _next(self, profile_id: str) -> str | None:
        """Take the image that was requested last: it is in view now.

        Returns None when the calling thread has to end.
        """
        with self._lock:
            queue = self._queues[profile_id]
            if queue and not self._stopping.is_set():
                return queue.pop()
            self._count_out(profile_id)
            return None

    def _count_out(self, profile_id: str) -> None:
        """Remove a thread from the counts. Call it under the lock.

        The last thread drops what is left in the queue: nobody would fetch it.
        """
        self._thread_counts[profile_id] -= 1
        if not self._thread_counts[profile_id]:
            self._pending.difference_update(self._queues.pop(profile_id, ()))

    def _fetch(self, profile_id: str, image_id: str) -> None:
        is_refused = False
        try:
            url = self._fetch_url(profile_id, image_id)
            is_refused = url is None
            if url:
                images.note_fresh_preview(image_id, url)
        except ImageRefused:
            is_refused = True
        except (FlowshelfError, Stopped) as error:
            log.debug("preview of image %s: %s", image_id, error)
        finally:
            # Whatever happened: a page keeps asking as long as the preview is pending.
            with self._lock:
                self._pending.discard(image_id)
                if is_refused:
                    self._refused.add(image_id)

    def _fetch_url(self, profile_id: str, image_id: str) -> str | None:
        # Fail now instead of waiting for an hour: by then nobody looks at this card.
        require_no_cooldown(profiles.get_profile(profile_id))
        connection = self._connections.of(profile_id)
        image = images.get_image(image_id)
        return connection.retry.call(
            lambda: connection.source.preview_url(image.name, image.media_key), self._stopping
        )
