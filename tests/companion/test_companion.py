"""Profiles whose calls a paired browser makes: sync, downloads, waiting, and going on."""

from webapp.database.models import Image
from webapp.database.states import Health, RunState, Way
from webapp.store import profiles


def synced(work, profile_id, **choice):
    return work.syncs.wait(work.syncs.start(profile_id, **choice).id)


def test_a_profile_syncs_and_downloads_through_its_browser(work, ada, world, flow):
    assert synced(work, ada).state == RunState.DONE
    assert Image.select().count() == 29
    run = work.downloads.wait_for_run(work.downloads.request_pending(ada).id)
    assert (run.state, run.done_count, run.failed_count) == (RunState.DONE, 29, 0)
    profile = profiles.get_profile(ada)
    assert (profile.way, profile.health, profile.account_email) == (
        Way.COMPANION,
        Health.WELL,
        "ada@example.com",
    )
    assert not profiles.get_cookies(ada)
    assert {r.headers.get("cookie", "").split("=")[0] for r in flow.log if r.kind == "picture"} == {""}
