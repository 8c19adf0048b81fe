"""Brings a Flowshelf through its states, one after the other, with the pages to look at in each."""

from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Page

from webapp import store
from webapp.background import Background
from webapp.database.states import RunKind
from webapp.demo import FlowServer
from webapp.demo.faults import Gate
from webapp.store import runs
from webapp.store.gallery import counts, images
from webapp.store.gallery.filters import Filter, Selection

WAIT_SECONDS = 30
LEFT_PENDING = 3


@dataclass(frozen=True)
class Look:
    """A page to look at: its path, the elements to click, and the element to wait for after that."""

    path: str
    clicks: tuple[str, ...] = ()
    awaits: str = "main"

    def show(self, page: Page) -> None:
        page.goto(self.path)
        for place in self.clicks:
            page.locator(place).first.click()
        page.wait_for_selector(self.awaits)


Pages = dict[str, Look]
GALLERY = {"gallery": Look("/")}
DENSE = Look("/", ("button[value=dense]",), "[data-density=dense]")  # remembered from here on
TICKED = "#grid input[name=image_id]"


def ask(verb: str) -> Look:
    return Look("/", (TICKED, "#more", f".menu [formaction*='/ask/{verb}']"), "main .facts")


LAID_OVER = {
    "lightbox": Look("/", (".card .look",), "#lightbox #image"),
    "menu": Look("/", (TICKED, "#more"), ".menu:popover-open"),
    "keys": Look("/profiles", ("[popovertarget=keys]",), "#keys:popover-open"),
}


def states(flow: FlowServer, work: Background, name: str = "Ada") -> Iterator[tuple[str, Pages]]:
    """Yields the name of each state with its pages. The state lasts until the next one is requested.

    Keeps a database connection of the current thread open.
    """
    yield "empty", {"welcome": Look("/"), "problem": Look("/no-such-page")}
    with store.connection():
        profile_id = work.accounts.add(name, flow.world.cookie_header()).id
        yield "empty", GALLERY
        yield from _syncing(flow, work, profile_id)
        newest = images.list_page(Filter(profile_id=profile_id), limit=1).images[0]
        picture = {"image": Look(f"/images/{newest.id}")}
        yield "listed", GALLERY | {"older": _older_page(profile_id)} | picture
        flow.world.change(newest.name, content=b"this is no picture")
        yield from _downloading(flow, work, profile_id)
        failed = runs.find_last_run(profile_id, RunKind.DOWNLOAD)
        yield (
            "failing",
            GALLERY | picture | {"run": Look(f"/runs/{failed.id}"), "activity": Look("/activity")},
        )
        flow.world.change(newest.name, content=None)
        work.downloads.wait_for_run(work.downloads.request(profile_id, [newest.id]).id)
        work.exports.request(Selection(ids=(newest.id,)))
        work.examine(profile_id)
        profile = f"/profiles/{profile_id}"
        people = {"profiles": "/profiles", "profile": profile, "remove": f"{profile}/remove"}
        people |= {"examination": f"{profile}/examination"}
        views = {name: f"/{name}" for name in ("overview", "activity", "messages", "exports", "share")}
        run = {"run": f"/runs/{runs.find_last_run(profile_id, RunKind.SYNC).id}"}
        yield "full", {name: Look(path) for name, path in (people | views | run).items()} | picture
        yield (
            "full",
            {"gallery": Look(f"/?profile={profile_id}"), "hide": ask("hide"), "delete": ask("delete")},
        )
        yield "full", LAID_OVER
        _lose_cookies(flow, work, profile_id)
        yield "waiting", GALLERY | {"profile": Look(profile), "dense": DENSE}


def _syncing(flow: FlowServer, work: Background, profile_id: str) -> Iterator[tuple[str, Pages]]:
    with flow.holding("history", at=3) as gate:
        run = work.syncs.start(profile_id)
        _reach(gate)
        yield "syncing", GALLERY
    work.syncs.wait(run.id)


def _downloading(flow: FlowServer, work: Background, profile_id: str) -> Iterator[tuple[str, Pages]]:
    count = counts.count_profile(profile_id).total - LEFT_PENDING
    last = images.list_page(Filter(profile_id=profile_id), limit=count).images[-1]
    with flow.holding("media", at=count // 2) as gate:
        run = work.downloads.request_pending(profile_id, limit=count)
        _reach(gate)
        yield "downloading", GALLERY | {"image": Look(f"/images/{last.id}")}
    work.downloads.wait_for_run(run.id)


def _lose_cookies(flow: FlowServer, work: Background, profile_id: str) -> None:
    flow.world.sign_out()
    flow.world.expire_tokens()
    work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
    work.syncs.wait(work.syncs.start(profile_id).id)


def _older_page(profile_id: str) -> Look:
    first = images.list_page(Filter(profile_id=profile_id), limit=6)
    return Look(f"/?profile={profile_id}&before={first.older_than}")


def _reach(gate: Gate) -> None:
    if not gate.reached.wait(WAIT_SECONDS):
        raise TimeoutError("the simulated Flow was not asked")
