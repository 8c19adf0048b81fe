"""A shelf brought through its states, one after the other, for whoever wants to look at its pages."""

from collections.abc import Iterator

from webapp import store
from webapp.background import Background
from webapp.demo import FlowServer
from webapp.demo.faults import Gate
from webapp.store import counts, images
from webapp.store.filters import Filter

WAIT_SECONDS = 30
LEFT_PENDING = 3

Pages = dict[str, str]


def states(flow: FlowServer, work: Background, name: str = "Ada") -> Iterator[tuple[str, Pages]]:
    """A state and the paths of the pages that show it; the shelf stays so until the next is asked for.

    Holds this thread's connection to the database.
    """
    yield "empty", {"welcome": "/", "problem": "/no-such-page"}
    with store.connection():
        profile_id = work.accounts.add(name, flow.world.cookie_header()).id
        yield "empty", {"gallery": "/"}
        yield from _syncing(flow, work, profile_id)
        newest = images.list_page(Filter(profile_id=profile_id), limit=1).images[0]
        picture = {"image": f"/images/{newest.id}"}
        yield "listed", {"gallery": "/", "older": _older_page(profile_id)} | picture
        flow.world.change(newest.name, content=b"this is no picture")
        yield from _downloading(flow, work, profile_id)
        yield "failing", {"gallery": "/"} | picture
        flow.world.change(newest.name, content=None)
        work.downloads.wait_for_run(work.downloads.request(profile_id, [newest.id]).id)
        profile = f"/profiles/{profile_id}"
        people = {"profiles": "/profiles", "profile": profile, "remove": f"{profile}/remove"}
        views = {
            "overview": "/overview",
            "activity": "/activity",
            "messages": "/messages",
            "zips": "/exports",
        }
        yield "full", {"gallery": f"/?profile={profile_id}"} | people | picture | views
        _lose_cookies(flow, work, profile_id)
        yield "waiting", {"gallery": "/", "profile": profile}


def _syncing(flow: FlowServer, work: Background, profile_id: str) -> Iterator[tuple[str, Pages]]:
    with flow.holding("history", at=3) as gate:
        run = work.syncs.start(profile_id)
        _reach(gate)
        yield "syncing", {"gallery": "/"}
    work.syncs.wait(run.id)


def _downloading(flow: FlowServer, work: Background, profile_id: str) -> Iterator[tuple[str, Pages]]:
    count = counts.count_profile(profile_id).total - LEFT_PENDING
    last = images.list_page(Filter(profile_id=profile_id), limit=count).images[-1]
    with flow.holding("media", at=count // 2) as gate:
        run = work.downloads.request_pending(profile_id, limit=count)
        _reach(gate)
        yield "downloading", {"gallery": "/", "image": f"/images/{last.id}"}
    work.downloads.wait_for_run(run.id)


def _lose_cookies(flow: FlowServer, work: Background, profile_id: str) -> None:
    flow.world.sign_out()
    flow.world.expire_tokens()
    work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
    work.syncs.wait(work.syncs.start(profile_id).id)


def _older_page(profile_id: str) -> str:
    return (
        f"/?profile={profile_id}&before={images.list_page(Filter(profile_id=profile_id), limit=6).older_than}"
    )


def _reach(gate: Gate) -> None:
    if not gate.reached.wait(WAIT_SECONDS):
        raise TimeoutError("the simulated Flow was not asked")
