"""Sync runs of labs.google: the rules of walks by examples, and what Flow may respond."""

import threading
import time

import pytest

from webapp import store
from webapp.database.base import db
from webapp.database.models import Gap, Image
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.demo.entries import Kind
from webapp.errors import Busy, FlowUnavailable
from webapp.store import profiles, runs
from webapp.store.choices import collections, favourites
from webapp.store.gallery import counts
from webapp.store.gallery.filters import Filter, Selection, matching
from webapp.store.history import walks
from webapp.sync.missing import answer_question
from webapp.web.services import background_of

UPLOADS, GENERATED = "ASSET_MANAGER", "PINHOLE"
BOTH = (UPLOADS, GENERATED)


@pytest.fixture
def sync(work, profile_id, flow):
    """Syncs and waits; returns the run as it ended. The connection stays open for queries of the test."""
    flow.reset()

    def sync(mode=SyncMode.NEW, *, histories=(UPLOADS,), **request):
        return work.syncs.wait(work.syncs.start(profile_id, mode=mode, histories=histories, **request).id)

    with store.connection():
        yield sync


@pytest.fixture
def gaps(profile_id):
    return lambda history=UPLOADS: walks.list_gaps(profile_id, history)


def names():
    return {image.name for image in Image.select()}


def test_a_first_sync_walks_both_histories_to_their_end(sync, world, gaps):
    run = sync(histories=BOTH)
    assert (run.state, run.synced_count, run.ignored_count) == (RunState.DONE, 70, 3)
    assert names() == {*world.names(UPLOADS), *world.names(GENERATED, Kind.GENERATED)}
    assert gaps() == gaps(GENERATED) == []


def test_a_sync_without_news_reads_one_page_of_each_history(sync, flow):
    sync(histories=BOTH)
    flow.reset()
    assert sync(histories=BOTH).state == RunState.DONE
    assert flow.count("history") == 2


def test_storing_a_page_takes_at_most_twelve_statements_and_inserts_all_images_in_one(
    sync, world, monkeypatch
):
    world.add_uploaded(140)
    executed, execute = [], db.execute_sql

    def record(sql, parameters=None):
        if threading.current_thread() is not threading.main_thread():
            executed.append(sql)
        return execute(sql, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(db, "execute_sql", record)
        run = sync()
    assert (run.page_count, run.synced_count) == (10, 180)
    assert len([sql for sql in executed if sql.startswith("INSERT INTO veo3_image_generations")]) == 10
    # Rounded, because some of the same statements also run once for the whole sync.
    assert sum(round(executed.count(sql) / run.page_count) for sql in set(executed)) <= 12


def test_names_and_details_of_an_image_are_stored(sync, world):
    sync(histories=BOTH)
    generated = world.entry(world.names(GENERATED, Kind.GENERATED)[0])
    image = Image.get(Image.name == generated.name)
    assert (image.media_key, image.workflow_id) == (generated.media_key, generated.workflow_id)
    assert (image.prompt, image.model_name) == (generated.shown_prompt, generated.model_name)
    assert (image.kind, image.history) == ("generated", GENERATED)
    assert image.aspect_ratio.startswith("IMAGE_ASPECT_RATIO_")
    assert len(image.created_at) == 27
    assert image.local_path is None


def test_a_walk_that_stops_keeps_its_place_and_resume_continues_there(sync, gaps, flow, world):
    run = sync(max_pages=1)
    assert (run.synced_count, run.last_cursor) == (18, gaps()[0].cursor)
    flow.reset()
    assert sync(SyncMode.RESUME).synced_count == 22
    assert flow.asked("history")[0].cursor == run.last_cursor
    assert gaps() == []


def test_images_that_arrive_between_two_syncs_do_not_hide_an_older_gap(sync, world, gaps):
    sync(max_pages=1)
    world.add_uploaded(25)
    sync(max_pages=1)
    assert len(gaps()) == 2
    assert sync().state == RunState.DONE
    assert names() == set(world.names(UPLOADS))
    assert gaps() == []


def test_the_end_of_a_walk_closes_no_gap_that_was_opened_after_it_began(sync, world, gaps):
    older = sync(SyncMode.ALL, max_pages=1).last_cursor
    world.add_uploaded(40)
    newer = sync(SyncMode.ALL, max_pages=1).last_cursor
    assert sync(SyncMode.ALL, start_cursor=older).last_cursor is None
    assert [gap.cursor for gap in gaps()] == [newer]
    sync()
    assert names() == set(world.names(UPLOADS))


def test_a_walk_that_did_not_begin_at_the_head_only_closes_its_own_gap(sync, world, gaps):
    above = sync(SyncMode.ALL, max_pages=1).last_cursor
    deeper = world.page(UPLOADS, 18, above).next_cursor
    assert sync(SyncMode.ALL, start_cursor=deeper).last_cursor is None
    assert [gap.cursor for gap in gaps()] == [above]
    assert sync().synced_count == 18


def test_pause_takes_effect_at_once_and_resume_requests_the_aborted_page_again(
    work, profile_id, sync, flow, gaps, wait_until
):
    with flow.holding("history", at=2) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        began = time.monotonic()
        work.syncs.pause(profile_id)
        assert work.syncs.wait(run.id).state == RunState.PAUSED
        wait_until(lambda: not work.syncs.has_thread(run.id))
        assert time.monotonic() - began < 0.3
        resumed = work.syncs.start(profile_id, histories=(UPLOADS,), mode=SyncMode.RESUME)
        gate.release()
    assert work.syncs.wait(resumed.id).state == RunState.DONE
    counts = [runs.get_run(each.id).synced_count for each in (run, resumed)]
    assert counts == [18, 22]
    assert gaps() == []


def test_a_page_that_arrives_after_pause_is_not_stored(work, profile_id, sync, flow, wait_until):
    with flow.holding("history", at=2) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        runs.change_state(run.id, (RunState.RUNNING,), RunState.PAUSED)
        gate.release()
        wait_until(lambda: not work.syncs.has_thread(run.id))
    assert (runs.get_run(run.id).state, Image.select().count()) == (RunState.PAUSED, 18)


def test_a_profile_has_one_sync_at_a_time_and_another_one_is_refused(work, profile_id, sync, flow):
    with flow.holding("history") as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        assert work.syncs.start(profile_id, histories=(UPLOADS,)).id == run.id
        with pytest.raises(Busy) as error:
            work.syncs.start(profile_id, mode=SyncMode.FULL)
        assert error.value.run_id == run.id
        gate.release()
        assert work.syncs.wait(run.id).state == RunState.DONE


# Rule 11: a sync shows what Flow had when it was requested


def test_a_quick_sync_that_is_requested_again_while_it_is_under_way_reads_the_head_once_more(
    work, profile_id, sync, flow, world
):
    with flow.holding("history", at=2) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        world.add_uploaded(3)
        for _ in range(3):
            assert work.syncs.start(profile_id, histories=(UPLOADS,)).id == run.id
        gate.release()
        run = work.syncs.wait(run.id)
    assert (run.state, run.synced_count) == (RunState.DONE, 43)
    heads = [request for request in flow.asked("history") if request.cursor is None]
    assert len(heads) == 2, "one more for all three requests"


def test_a_sync_requested_after_a_restart_brings_what_flow_had_at_that_time(
    work, profile_id, flow, world, running
):
    flow.reset()
    with flow.holding("history", at=2) as gate:
        with store.connection():
            run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        work = background_of(running())
        world.add_uploaded(25)
        with store.connection():
            assert work.syncs.start(profile_id).id == run.id
        gate.release()
    with store.connection():
        assert work.syncs.wait(run.id).state == RunState.DONE
        assert Image.select().count() == 40 + 30 + 25


@pytest.mark.parametrize("settings", [{"max_pages": 2}, {"mode": SyncMode.FULL}, {"mode": SyncMode.ALL}])
def test_a_sync_that_is_not_quick_is_not_repeated_when_it_is_requested_again(
    work, profile_id, sync, flow, settings
):
    with flow.holding("history", at=1) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,), **settings)
        assert gate.reached.wait(5)
        assert work.syncs.start(profile_id, histories=(UPLOADS,), **settings).id == run.id
        gate.release()
        assert work.syncs.wait(run.id).state == RunState.DONE
    assert [request.cursor for request in flow.asked("history")].count(None) == 1


def test_a_sync_that_recognises_no_entry_fails(sync, world):
    for name in world.names(UPLOADS):
        world.delete(name)
    world.add_broken_entry("without media")
    run = sync()
    assert (run.state, run.error_code) == (RunState.FAILED, "flow_changed")
    assert "<text of" in run.sample


# The end of a history


def test_an_empty_account_is_complete(sync, world, gaps):
    for name in world.names(UPLOADS):
        world.delete(name)
    run = sync()
    assert (run.state, run.synced_count) == (RunState.DONE, 0)
    assert gaps() == []


def test_an_empty_response_below_the_head_is_not_the_end(sync, flow, gaps, world):
    sync(max_pages=1)
    nothing = {"result": {"data": {"json": {"result": {}, "status": 200}}}}
    flow.respond_next("history", nothing, count=2)
    run = sync(SyncMode.RESUME)
    assert (run.state, run.error_code) == (RunState.FAILED, "history_empty")
    assert len(gaps()) == 1
    assert sync(SyncMode.RESUME).synced_count == 22


def test_a_full_sync_begins_at_the_head_even_when_an_older_one_was_stopped(sync, world, flow):
    sync(SyncMode.FULL, max_pages=1)
    world.add_uploaded(3)
    assert sync(SyncMode.FULL).synced_count == 25
    assert names() == set(world.names(UPLOADS))


def test_a_history_that_is_suddenly_empty_stops_the_run_and_changes_nothing(sync, world, gaps):
    sync()
    for name in world.names(UPLOADS):
        world.delete(name)
    run = sync(SyncMode.FULL)
    assert (run.state, run.error_code) == (RunState.FAILED, "history_empty")
    assert "Nothing was changed" in run.error
    assert Image.select().where(Image.gone_upstream_at.is_null()).count() == 40
    assert len(gaps()) == 1


def test_an_empty_response_is_requested_once_more(sync, flow, gaps):
    flow.respond_next("history", {"result": {"data": {"json": {"result": {}, "status": 200}}}})
    assert sync().synced_count == 40
    assert gaps() == []


# Entries that are not images


def test_pages_without_an_image_prove_nothing(sync, world, gaps):
    sync(histories=(GENERATED,))
    world.add_generated(1)
    world.add_videos(40)
    run = sync(histories=(GENERATED,))
    assert (run.synced_count, run.ignored_count >= 40) == (1, True)
    assert gaps(GENERATED) == []


def test_fifty_pages_without_an_image_stop_the_run_and_resume_continues(sync, world, gaps):
    world.add_videos(18 * 60)
    run = sync(histories=(GENERATED,))
    assert run.state == RunState.FAILED
    assert "50 pages in a row" in run.error
    assert len(gaps(GENERATED)) == 1
    assert sync(SyncMode.RESUME, histories=(GENERATED,)).synced_count == 30


@pytest.mark.parametrize("breakage", ["without media", "without any kind", "wrong types", "null"])
def test_an_unusable_entry_is_counted_and_does_not_stop_the_run(sync, world, breakage):
    world.add_broken_entry(breakage)
    run = sync()
    assert (run.state, run.synced_count, run.ignored_count) == (RunState.DONE, 40, 1)


def test_images_without_a_media_key_are_stored_once_each_and_known_when_the_key_comes(sync, world):
    names = [world.add_broken_entry("without mediaKey") for _ in range(2)]
    assert sync().synced_count == 42
    world.change(names[0], breakage=None)
    assert sync(SyncMode.FULL).synced_count == 0
    keys = {row.name: row.media_key for row in Image.select().where(Image.name.in_(names))}
    assert keys == {name: name for name in names}


def test_names_are_stored_without_the_white_space_that_flow_inserts(sync, world):
    name = world.names(UPLOADS)[0]
    world.change(name, name_in_history=f"{name[:9]}\n \u00a0{name[9:30]}\u200b\ufeff{name[30:]} ")
    assert sync().synced_count == 40
    assert names() == set(world.names(UPLOADS))


def test_an_entry_without_a_time_takes_the_time_of_the_entry_above(sync, world):
    listed = world.names(UPLOADS)
    for name in (listed[5], listed[18]):  # the second stands at the head of a page
        world.change(name, created_at=None)
    sync()
    times = {image.name: image.created_at for image in Image.select()}
    assert times[listed[5]] == times[listed[4]]
    assert times[listed[18]] == times[listed[17]]


# Known images


def test_a_sync_does_not_change_files_and_marks_but_takes_over_fresher_previews(sync, world):
    sync(histories=BOTH)
    before = Image.get(Image.kind == "generated")
    Image.update(local_path="/shelf/a.jpg", hidden_at="x", not_wanted_at="y", prompt=None).where(
        Image.id == before.id
    ).execute()
    run = sync(SyncMode.ALL, histories=BOTH)
    after = Image.get_by_id(before.id)
    assert (run.synced_count, run.skipped_count) == (0, 70)
    assert (after.local_path, after.hidden_at, after.not_wanted_at) == ("/shelf/a.jpg", "x", "y")
    assert after.prompt == before.prompt
    assert world.entry(after.name).picture_id in after.fife_url


def test_an_image_in_both_histories_is_one_image(sync, world, profile_id):
    world.generated_in_drawer = True
    drawn = world.add_generated(3)
    run = sync(histories=BOTH)
    assert run.synced_count == 73
    assert run.skipped_count == 3
    assert set(drawn) <= names()


# Full syncs


def test_a_full_sync_marks_what_is_gone_and_seeing_it_again_clears_the_mark(sync, world):
    sync()
    name = world.names(UPLOADS)[7]
    entry = world.entry(name)
    world.delete(name)
    run = sync(SyncMode.FULL)
    assert "1 image on the shelf" in run.note
    assert Image.get(Image.name == name).gone_upstream_at
    assert Image.select().where(Image.gone_upstream_at.is_null(False)).count() == 1
    again = world.add_uploaded(1)[0]
    Image.update(name=again).where(Image.name == entry.name).execute()
    sync()
    assert Image.get(Image.name == again).gone_upstream_at is None


def test_choices_hold_through_syncs_full_syncs_and_rows_that_a_sync_brings_back(sync, world):
    sync()
    chosen = world.names(UPLOADS)[:3]
    choice = Selection(tuple(Image.select(Image.id).where(Image.name.in_(chosen)).scalars()))
    favourites.mark(choice)
    kites = collections.add_collection("Kites")
    collections.add_images(kites, choice)
    world.delete(chosen[0])
    Image.delete().where(Image.name == chosen[1]).execute()
    for mode in (SyncMode.FULL, SyncMode.NEW):
        sync(mode)
        assert {image.name for image in matching(Filter(collection_id=kites.id))} == set(chosen)
        assert {image.name for image in matching(Filter(is_favourite=True))} == set(chosen)


def test_a_full_sync_asks_before_it_marks_more_than_a_tenth(sync, world, profile_id):
    sync()
    for name in world.names(UPLOADS)[:8]:
        world.delete(name)
    assert "Nothing was marked" in sync(SyncMode.FULL).note
    assert not Image.select().where(Image.gone_upstream_at.is_null(False)).exists()
    (walk,) = walks.list_walks_with_question(profile_id)
    answer_question(walk.id, mark=True)
    assert Image.select().where(Image.gone_upstream_at.is_null(False)).count() == 8
    assert walks.list_walks_with_question(profile_id) == []


@pytest.mark.parametrize(
    ("mark", "sentence"),
    [(True, "They were marked as “No longer in Flow”."), (False, "They were left as before")],
)
def test_the_answer_to_the_question_of_a_full_sync_replaces_it(sync, world, profile_id, mark, sentence):
    sync()
    for name in world.names(UPLOADS)[:8]:
        world.delete(name)
    run = sync(SyncMode.FULL)
    (walk,) = walks.list_walks_with_question(profile_id)
    answer_question(walk.id, mark=mark)
    note = runs.get_run(run.id).note
    assert sentence in note
    assert "Nothing was marked" not in note


def test_a_full_sync_is_one_walk_that_resume_continues(sync, world, flow):
    sync()
    world.delete(world.names(UPLOADS)[0])
    stopped = sync(SyncMode.FULL, max_pages=1)
    assert stopped.page_count == 1
    flow.reset()
    assert sync(SyncMode.RESUME).state == RunState.DONE
    assert flow.asked("history")[0].cursor is not None
    assert Image.select().where(Image.gone_upstream_at.is_null(False)).count() == 1


# When Flow refuses


def test_after_an_expired_cursor_the_history_is_read_from_the_head_without_stopping_early(sync, world, gaps):
    sync(max_pages=1)
    world.expire_cursors()
    run = sync(SyncMode.RESUME)
    assert (run.state, run.synced_count) == (RunState.DONE, 22)
    assert "no longer knew the place" in run.note
    assert gaps() == []


def test_a_refused_first_page_stops_the_run_and_keeps_the_gap(sync, flow, gaps):
    flow.fail_next(400, kind="history", count=3)
    run = sync()
    assert (run.state, run.error_code) == (RunState.FAILED, "cursor_refused")
    assert [gap.cursor for gap in gaps()] == [""]


def test_a_cursor_that_is_refused_in_the_run_that_received_it_stops_the_run(
    sync, flow, gaps, work, profile_id
):
    with flow.holding("history", at=2) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        flow.world.expire_cursors()
        gate.release()
    run = work.syncs.wait(run.id)
    assert (run.state, run.error_code, run.synced_count) == (RunState.FAILED, "cursor_refused", 18)
    assert gaps()[0].cursor
    assert sync().state == RunState.DONE
    assert gaps() == []


def test_a_history_that_flow_does_not_offer_is_recorded_and_does_not_stop_the_other(sync, world, profile_id):
    world.refuse_history(GENERATED)
    run = sync(histories=BOTH)
    assert (run.state, run.synced_count) == (RunState.DONE, 40)
    assert run.note
    refused = [row.name for row in walks.list_histories(profile_id) if row.refused_at]
    assert refused == [GENERATED]
    assert sync(histories=BOTH).note is None  # said once, by the run that found it out
    world.refuse_history(GENERATED, refused=False)
    assert sync(histories=BOTH).synced_count == 30


def test_pages_that_repeat_stop_the_run_with_a_sentence_and_keep_the_gap(sync, flow, gaps, world):
    flow.repeat_page_next(5)
    run = sync()
    assert run.state == RunState.FAILED
    assert "already read" in run.error
    assert len(gaps()) == 1
    flow.reset()
    sync()
    assert names() == set(world.names(UPLOADS))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda flow: flow.fail_next(429, kind="history", retry_after=0),
        lambda flow: flow.fail_next(502, kind="history", count=4),
        lambda flow: flow.cut_next("history", at_bytes=200),
        lambda flow: flow.drop_next("history", count=2),
    ],
    ids=["429", "502", "cut", "dropped"],
)
def test_transient_failures_are_retried(sync, flow, break_it):
    break_it(flow)
    assert sync().synced_count == 40


def test_a_waiting_caller_hears_of_an_unavailable_service_and_the_run_retries_until_it_is_back(
    sync, work, profile_id, flow, gaps, wait_until
):
    flow.fail_next(500, kind="history", count=50)
    with pytest.raises(FlowUnavailable, match="next try is in"):
        sync()
    assert len(gaps()) == 1
    assert work.connections.cooldown(profile_id).reason
    flow.reset()
    run = runs.find_open_run(profile_id, RunKind.SYNC)
    wait_until(lambda: runs.get_run(run.id).state == RunState.DONE)
    assert runs.get_run(run.id).synced_count == 40
    assert work.connections.cooldown(profile_id) is None


def test_a_response_of_an_unknown_shape_stops_the_run_with_a_redacted_sample(sync, flow, gaps):
    flow.respond_next("history", {"result": {"data": {"surprise": "ya29.SECRET-token-of-somebody"}}}, count=5)
    run = sync()
    assert (run.state, run.error_code) == (RunState.FAILED, "flow_changed")
    assert "surprise" in run.sample
    assert "SECRET" not in run.sample
    assert len(gaps()) == 1


@pytest.mark.parametrize(
    "break_it",
    [
        lambda flow: flow.world.sign_out(),
        lambda flow: flow.respond_next("history", "<!doctype html><title>Sign in</title>", "text/html"),
    ],
    ids=["401", "html"],
)
def test_a_run_whose_cookies_expired_waits_and_continues_with_new_ones(
    sync, flow, world, work, profile_id, break_it
):
    break_it(flow)
    run = sync()
    assert run.state == RunState.WAITING
    assert profiles.get_profile(profile_id).health == "waiting_for_cookies"
    world.sign_in()
    work.replace_cookies(profile_id, world.cookie_header())
    assert work.syncs.wait(run.id).state == RunState.DONE
    assert Image.select().count() == 40


def test_an_account_that_moved_fails_the_run_as_moved(sync, world, profile_id):
    world.migrate()
    run = sync()
    assert (run.state, run.error_code) == (RunState.FAILED, "moved")
    assert profiles.get_profile(profile_id).health == "moved"


def test_unchecked_cookies_are_checked_before_the_first_page(work, flow, world, sync):
    """Cookies that were saved while Flow was unavailable must not sync the images of another account."""
    flow.fail_next(503, kind="session", count=1)
    profile = work.accounts.add("Twin", world.cookie_header())
    assert profile.health == "unchecked"
    run = work.syncs.wait(work.syncs.start(profile.id, histories=(UPLOADS,)).id)
    assert (run.state, run.error_code) == (RunState.FAILED, "account_exists")
    assert counts.count_profile(profile.id).total == 0


def test_the_check_before_the_first_page_is_retried(work, flow, world):
    with store.connection():
        flow.fail_next(503, kind="session", count=1)
        profile = work.accounts.add("Ada", world.cookie_header())
        flow.fail_next(503, kind="session", count=2)
        run = work.syncs.wait(work.syncs.start(profile.id, histories=(UPLOADS,)).id)
        assert (run.state, run.synced_count) == (RunState.DONE, 40)
        assert profiles.get_profile(profile.id).health == "well"


def test_of_two_different_syncs_requested_at_the_same_time_one_is_refused(work, profile_id, sync, flow):
    responses = []

    def start(mode):
        with store.connection():
            try:
                responses.append(work.syncs.start(profile_id, mode=mode, histories=(UPLOADS,)).state)
            except Busy:
                responses.append("busy")

    for _ in range(30):
        threads = [threading.Thread(target=start, args=(mode,)) for mode in (SyncMode.ALL, SyncMode.NEW)]
        with flow.holding("history") as gate:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            gate.release()
        run = runs.find_last_run(profile_id, "sync")
        assert work.syncs.wait(run.id).state == RunState.DONE
        assert sorted(responses) == ["busy", RunState.RUNNING]
        responses.clear()


def test_a_profile_removed_while_a_page_is_read_leaves_no_image(work, profile_id, sync, flow, wait_until):
    with flow.holding("history", at=2) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        work.remove_profile(profile_id)
        gate.release()
    wait_until(lambda: not work.syncs.has_thread(run.id))
    assert Image.select().count() == 0


def test_a_run_whose_profile_was_removed_ends_without_an_error_in_the_log(
    work, profile_id, flow, wait_until, caplog
):
    with store.connection(), flow.holding("history", at=2) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        profiles.remove_profile(profile_id)
        gate.release()
        wait_until(lambda: not work.syncs.has_thread(run.id))
    assert "Traceback" not in caplog.text


def test_cookies_pasted_while_the_old_ones_are_checked_let_the_run_continue(work, flow, world):
    with store.connection():
        flow.fail_next(503, kind="session", count=1)
        profile = work.accounts.add("Ada", world.cookie_header())
        with flow.holding("session") as gate:
            run = work.syncs.start(profile.id, histories=(UPLOADS,))
            assert gate.reached.wait(5)
            other = threading.Thread(target=paste, args=(work, profile.id, world.cookie_header()))
            other.start()
            gate.release()
            other.join(10)
        run = work.syncs.wait(run.id)
        assert (run.state, run.synced_count) == (RunState.DONE, 40)


def paste(work, profile_id, text):
    with store.connection():
        work.replace_cookies(profile_id, text)


def test_cookies_that_cannot_be_checked_do_not_replace_good_ones(work, flow, world, profile_id):
    flow.fail_next(503, kind="session", count=1)
    with store.connection():
        before = profiles.get_cookies(profile_id)
        with pytest.raises(FlowUnavailable, match="old ones were kept"):
            work.replace_cookies(profile_id, world.cookie_header())
        assert profiles.get_cookies(profile_id) == before


def test_a_run_left_by_a_killed_process_is_paused_when_another_sync_is_requested(work, profile_id, sync):
    run = runs.start_sync(profile_id, histories=BOTH, mode=SyncMode.FULL, start_cursor=None, max_pages=None)
    assert sync().state == RunState.DONE
    assert runs.get_run(run.id).state == RunState.PAUSED


def test_the_cursor_of_a_caller_opens_a_gap_only_after_flow_accepted_it(sync, gaps, world):
    first = sync(SyncMode.ALL, max_pages=1)
    assert sync(SyncMode.ALL, start_cursor="made-up").error_code == "cursor_refused"
    assert [gap.cursor for gap in gaps()] == [first.last_cursor]
    run = sync(SyncMode.ALL, start_cursor=first.last_cursor)
    assert run.synced_count == 22
    assert Gap.select().where(Gap.history == UPLOADS).count() == 0
