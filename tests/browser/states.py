"""Brings a shelf through its states, one after the other, for whoever looks at its pages in each."""

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image as Picture
from playwright.sync_api import Page

from webapp import store
from webapp.background import Background
from webapp.database.states import Health, RunKind
from webapp.demo import FlowServer
from webapp.demo.faults import Gate
from webapp.store import profiles, runs
from webapp.store.choices import collections, favourites
from webapp.store.gallery import counts, images
from webapp.store.gallery.filters import FileState, Filter, Selection, Sort
from webapp.web.views.help import TOPICS

WAIT_SECONDS = 30
LEFT_PENDING = 3


@dataclass(frozen=True)
class Look:
    """A page, or what some clicks open on it; `awaits` is visible once that is complete."""

    path: str
    clicks: tuple[str, ...] = ()
    awaits: str = "main"

    def show(self, page: Page) -> None:
        page.goto(self.path)
        for place in self.clicks:
            page.locator(place).first.click()
        page.wait_for_selector(self.awaits)


State = tuple[str, dict[str, Look]]
TICKED = "#grid input[name=image_id]"
GALLERY = {"gallery": Look("/")}
SHEET = {"sheet": Look("/", ("#status-details",), "#dialog[open] #download-panel")}
COMPACT = Look("/", ("button[value=compact]",), "[data-density=compact]")  # remembered from here on
QUESTIONS = {
    "delete": Look("/", (TICKED, "#delete-selected"), "#dialog .facts"),
    "collect": Look("/", (TICKED, "#collect-selected"), "#dialog #collection-title"),
    "zip": Look("/", (TICKED, "[formaction$='/exports']"), "#dialog .export"),
    "toast": Look("/", (TICKED, "#hide-selected"), "#toasts .toast"),
}
OVERLAYS = {
    "lightbox": Look("/", (".card .look",), "#lightbox #image"),
    "compare": Look("/", (TICKED, f":nth-match({TICKED}, 2)", "#compare"), "#lightbox #comparison"),
    "menu": Look("/", (TICKED, "#more"), ".menu:popover-open"),
    "keys": Look("/profiles", ("[data-keys]",), "#keys:popover-open #key-list"),
}


def states(flow: FlowServer, work: Background, name: str = "Ada") -> Iterator[State]:
    """Each state and the pages that show it; it lasts until the next one is asked for.

    Keeps a database connection of the current thread open.
    """
    yield "empty", {"welcome": Look("/"), "problem": Look("/no-such-page")}
    with store.connection():
        profile_id = work.accounts.add(name, flow.world.cookie_header()).id
        yield from just_added(profile_id)
        with flow.holding("history", at=3) as gate:
            run = work.syncs.start(profile_id)
            reach(gate)
            yield "syncing", GALLERY | SHEET
        work.syncs.wait(run.id)
        (newest,) = images.list_page(Filter(profile_id=profile_id), limit=1).images
        picture = {"image": Look(f"/images/{newest.id}")}
        older = {"older": older_page(profile_id)}
        yield "listed", GALLERY | SHEET | older | picture
        flow.world.change(newest.name, content=b"this is no picture")
        yield from downloading(flow, work, profile_id)
        failed_id = runs.find_last_run(profile_id, RunKind.DOWNLOAD).id
        activity = {"run": Look(f"/runs/{failed_id}"), "activity": Look("/activity")}
        yield "failing", GALLERY | SHEET | picture | activity
        flow.world.change(newest.name, content=None)
        work.downloads.wait_for_run(work.downloads.request(profile_id, [newest.id]).id)
        work.exports.request(Selection(ids=(newest.id,)))
        work.examine(profile_id)
        delete_oldest(work, profile_id)
        yield "full", all_pages(profile_id) | choices(newest.id) | picture | QUESTIONS | OVERLAYS
        change_file(newest.id)
        yield "changed", picture | GALLERY | {"lightbox": OVERLAYS["lightbox"]}
        lose_cookies(flow, work, profile_id)
        yield "waiting", GALLERY | SHEET | {"profile": Look(f"/profiles/{profile_id}"), "compact": COMPACT}


def older_page(profile_id: str) -> Look:
    first = images.list_page(Filter(profile_id=profile_id), limit=6)
    return Look(f"/?profile={profile_id}&before={first.older_than}")


def just_added(profile_id: str) -> Iterator[State]:
    pages = GALLERY | {"added": Look(f"/profiles/{profile_id}")}
    yield "empty", pages
    profiles.note_unchecked(profile_id, "Flow could not be reached when these cookies were pasted.")
    yield "unchecked", pages
    profiles.note_health(profile_id, Health.WELL)


def all_pages(profile_id: str) -> dict[str, Look]:
    profile = f"/profiles/{profile_id}"
    paths = {"profile": profile, "remove": f"{profile}/remove", "examination": f"{profile}/examination"}
    paths |= {page: f"/{page}" for page in ("overview", "activity", "exports", "share")}
    paths |= {"settings": "/settings", "help": "/help", "adopt": "/adopt", "handover": "/handover"}
    paths |= {"trash": "/trash", "empty-trash": "/trash/empty"}
    paths |= {f"help-{topic.name}": f"/help/{topic.name}" for topic in TOPICS}
    paths |= {"connect": "/profiles/connect", "profiles": "/profiles", "firefox": "/firefox"}
    paths |= {"status": "/status"}
    paths |= {"gallery": f"/?profile={profile_id}"}
    paths |= {"run": f"/runs/{runs.find_last_run(profile_id, RunKind.SYNC).id}"}
    return {page: Look(path) for page, path in paths.items()}


def choices(image_id: str) -> dict[str, Look]:
    """A favourite in a collection of a long title, and an empty collection."""
    favourites.mark(Selection((image_id,)))
    kites = collections.add_collection("Red kites over the dunes, for the wall of the living room, 猫")
    collections.add_images(kites, Selection((image_id,)))
    empty = collections.add_collection("Nothing yet")
    paths = {"collections": "/collections", "filters": "/filters", "collection": f"/?collection={kites.id}"}
    paths |= {
        f"edit-{name}": f"/collections/{each.id}/edit" for name, each in (("full", kites), ("empty", empty))
    }
    return {page: Look(path) for page, path in paths.items()}


def downloading(flow: FlowServer, work: Background, profile_id: str) -> Iterator[tuple[str, dict[str, Look]]]:
    count = counts.count_profile(profile_id).total - LEFT_PENDING
    last = images.list_page(Filter(profile_id=profile_id), limit=count).images[-1]
    with flow.holding("media", at=count // 2) as gate:
        run = work.downloads.request_pending(profile_id, limit=count)
        reach(gate)
        yield "downloading", GALLERY | SHEET | {"image": Look(f"/images/{last.id}")}
    work.downloads.wait_for_run(run.id)


def delete_oldest(work: Background, profile_id: str) -> None:
    done = Filter(profile_id=profile_id, state=FileState.DONE, sort=Sort.OLDEST)
    work.delete_files([image.id for image in images.list_page(done, limit=2).images])


def change_file(image_id: str) -> None:
    """As another program does that edits the picture."""
    Picture.new("RGB", (1376, 768), "teal").save(images.get_image(image_id).file_path or "", "JPEG")


def lose_cookies(flow: FlowServer, work: Background, profile_id: str) -> None:
    flow.world.sign_out()
    flow.world.expire_tokens()
    work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
    work.syncs.wait(work.syncs.start(profile_id).id)


def reach(gate: Gate) -> None:
    if not gate.reached.wait(WAIT_SECONDS):
        raise TimeoutError("the simulated Flow was not asked")
