"""Sync runs: the ten rules by which history is walked, each by an example, and what Flow may answer."""

import threading
import time

import pytest

from webapp import store
from webapp.database.models import Gap, Image, db
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.demo.entries import Kind
from webapp.errors import Busy, FlowUnavailable
from webapp.store import profiles, runs
from webapp.store.gallery import counts
from webapp.store.history import walks
from webapp.sync.missing import answer_question
from webapp.web.services import background_of

UPLOADS, GENERATED = "ASSET_MANAGER", "PINHOLE"
BOTH = (UPLOADS, GENERATED)


@pytest.fixture
def sync(work, profile_id, flow):
    """Sync and wait; the run as it ended. The connection stays open for looking at rows."""
    flow.reset()

    def sync(mode=SyncMode.NEW, *, histories=(UPLOADS,), **asked):
        return work.syncs.wait(work.syncs.start(profile_id, mode=mode, histories=histories, **asked).id)

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


def test_an_account_in_sync_costs_one_page_a_history(sync, flow):
    sync(histories=BOTH)
    flow.reset()
    assert sync(histories=BOTH).state == RunState.DONE
    assert flow.count("history") == 2


def test_a_page_costs_the_shelf_a_dozen_statements_one_of_them_for_all_its_images(sync, world, monkeypatch):
    world.add_uploaded(140)
    asked, execute = [], db.execute_sql

    def watched(sql, given=None):
        if threading.current_thread() is not threading.main_thread():
            asked.append(sql)
        return execute(sql, given)

    with monkeypatch.context() as patch:
        patch.setattr(db, "execute_sql", watched)
        run = sync()
    assert (run.page_count, run.synced_count) == (10, 180)
    assert len([sql for sql in asked if sql.startswith("INSERT INTO veo3_image_generations")]) == 10
    again_and_again = [sql for sql in asked if asked.count(sql) >= run.page_count - 1]
    assert len(again_and_again) <= 12 * run.page_count


def test_what_an_image_is_called_and_says_of_itself_is_stored(sync, world):
    sync(histories=BOTH)
    generated = world.entry(world.names(GENERATED, Kind.GENERATED)[0])
    image = Image.get(Image.name == generated.name)
    assert (image.media_key, image.workflow_id) == (generated.media_key, generated.workflow_id)
    assert (image.prompt, image.model_name) == (generated.shown_prompt, generated.model_name)
    assert (image.kind, image.history) == ("generated", GENERATED)
    assert image.aspect_ratio.startswith("IMAGE_ASPECT_RATIO_")
    assert len(image.created_at) == 27
    assert image.local_path is None


def test_a_walk_that_stops_keeps_its_place_and_resume_goes_on_there(sync, gaps, flow, world):
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


def test_a_walk_that_did_not_begin_at_the_head_closes_its_own_gap_only(sync, world, gaps):
    above = sync(SyncMode.ALL, max_pages=1).last_cursor
    deeper = world.page(UPLOADS, 18, above).next_cursor
    assert sync(SyncMode.ALL, start_cursor=deeper).last_cursor is None
    assert [gap.cursor for gap in gaps()] == [above]
    assert sync().synced_count == 18


def test_pause_shows_at_once_and_the_page_under_way_is_given_up_and_asked_again(
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


def test_a_page_that_comes_after_pause_is_not_stored(work, profile_id, sync, flow, wait_until):
    with flow.holding("history", at=2) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        runs.change_state(run.id, (RunState.RUNNING,), RunState.PAUSED)
        gate.release()
        wait_until(lambda: not work.syncs.has_thread(run.id))
    assert (runs.get_run(run.id).state, Image.select().count()) == (RunState.PAUSED, 18)


def test_one_sync_a_profile_and_the_other_is_told_so(work, profile_id, sync, flow):
    with flow.holding("history") as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        assert work.syncs.start(profile_id, histories=(UPLOADS,)).id == run.id
        with pytest.raises(Busy) as error:
            work.syncs.start(profile_id, mode=SyncMode.FULL)
        assert error.value.run_id == run.id
        gate.release()
        assert work.syncs.wait(run.id).state == RunState.DONE


# What was asked for is what is done


def test_a_quick_sync_that_is_asked_for_again_while_it_is_under_way_reads_the_head_once_more(
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
    assert [request.cursor for request in flow.asked("history")].count(None) == 2, (
        "one more for all who asked"
    )


def test_after_a_restart_a_sync_that_a_person_asks_for_brings_what_came_before_the_asking(
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


@pytest.mark.parametrize("asked", [{"max_pages": 2}, {"mode": SyncMode.FULL}, {"mode": SyncMode.ALL}])
def test_another_sync_than_a_quick_one_is_not_read_again(work, profile_id, sync, flow, asked):
    with flow.holding("history", at=1) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,), **asked)
        assert gate.reached.wait(5)
        assert work.syncs.start(profile_id, histories=(UPLOADS,), **asked).id == run.id
        gate.release()
        assert work.syncs.wait(run.id).state == RunState.DONE
    assert [request.cursor for request in flow.asked("history")].count(None) == 1


def test_entries_of_which_none_is_recognised_are_no_success(sync, world):
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


def test_nothing_at_all_below_the_head_is_no_end(sync, flow, gaps, world):
    sync(max_pages=1)
    nothing = {"result": {"data": {"json": {"result": {}, "status": 200}}}}
    flow.respond_next("history", nothing, count=2)
    run = sync(SyncMode.RESUME)
    assert (run.state, run.error_code) == (RunState.FAILED, "history_empty")
    assert len(gaps()) == 1
    assert sync(SyncMode.RESUME).synced_count == 22


def test_a_full_sync_begins_at_the_head_although_an_older_one_was_stopped(sync, world, flow):
    sync(SyncMode.FULL, max_pages=1)
    world.add_uploaded(3)
    assert sync(SyncMode.FULL).synced_count == 25
    assert names() == set(world.names(UPLOADS))


def test_a_page_is_looked_up_by_names_and_never_by_all_rows_of_the_profile(sync, profile_id):
    sync()
    asked = Image.select().where(Image.name.in_([f"name-{n}" for n in range(18)]))
    plan = " ".join(
        str(row) for row in db.execute_sql("EXPLAIN QUERY PLAN " + asked.sql()[0], asked.sql()[1])
    )
    assert "autoindex" in plan
    assert "SCAN" not in plan


def test_a_history_that_is_suddenly_empty_stops_the_run_and_changes_nothing(sync, world, gaps):
    sync()
    for name in world.names(UPLOADS):
        world.delete(name)
    run = sync(SyncMode.FULL)
    assert (run.state, run.error_code) == (RunState.FAILED, "history_empty")
    assert "Nothing was changed" in run.error
    assert Image.select().where(Image.gone_upstream_at.is_null()).count() == 40
    assert len(gaps()) == 1


def test_an_empty_answer_is_asked_for_once_more(sync, flow, gaps):
    flow.respond_next("history", {"result": {"data": {"json": {"result": {}, "status": 200}}}})
    assert sync().synced_count == 40
    assert gaps() == []


# Entries that are no image


def test_pages_without_an_image_prove_nothing(sync, world, gaps):
    sync(histories=(GENERATED,))
    world.add_generated(1)
    world.add_videos(40)
    run = sync(histories=(GENERATED,))
    assert (run.synced_count, run.ignored_count >= 40) == (1, True)
    assert gaps(GENERATED) == []


def test_fifty_pages_without_an_image_stop_the_run_and_resume_goes_on(sync, world, gaps):
    world.add_videos(18 * 60)
    run = sync(histories=(GENERATED,))
    assert run.state == RunState.FAILED
    assert "50 pages in a row" in run.error
    assert len(gaps(GENERATED)) == 1
    assert sync(SyncMode.RESUME, histories=(GENERATED,)).synced_count == 30


@pytest.mark.parametrize("breakage", ["without media", "without any kind", "wrong types", "null"])
def test_an_unusable_entry_is_counted_and_never_fatal(sync, world, breakage):
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


def test_names_are_stored_without_the_white_space_that_flow_puts_into_them(sync, world):
    name = world.names(UPLOADS)[0]
    world.change(name, name_in_history=f"{name[:9]}\n \u00a0{name[9:30]}\u200b\ufeff{name[30:]} ")
    assert sync().synced_count == 40
    assert names() == set(world.names(UPLOADS))


def test_an_entry_without_a_time_takes_that_of_the_entry_above(sync, world):
    listed = world.names(UPLOADS)
    for name in (listed[5], listed[18]):  # the second stands at the head of a page
        world.change(name, created_at=None)
    sync()
    times = {image.name: image.created_at for image in Image.select()}
    assert times[listed[5]] == times[listed[4]]
    assert times[listed[18]] == times[listed[17]]


# What is known already


def test_a_sync_leaves_files_and_marks_alone_and_takes_over_fresher_previews(sync, world):
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


# Full


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
    ("mark", "sentence"), [(True, "They were marked as gone from Flow."), (False, "They were left as before")]
)
def test_the_answer_to_a_full_syncs_question_takes_its_place(sync, world, profile_id, mark, sentence):
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


def test_an_expired_place_is_read_again_from_the_head_without_stopping_early(sync, world, gaps):
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


def test_a_place_that_was_named_just_now_and_is_refused_stops_the_run(sync, flow, gaps, work, profile_id):
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


def test_a_history_that_flow_does_not_offer_is_noted_and_does_not_stop_the_other(sync, world, profile_id):
    world.refuse_history(GENERATED)
    run = sync(histories=BOTH)
    assert (run.state, run.synced_count) == (RunState.DONE, 40)
    assert run.note
    refused = [row.name for row in walks.list_histories(profile_id) if row.refused_at]
    assert refused == [GENERATED]
    world.refuse_history(GENERATED, refused=False)
    assert sync(histories=BOTH).synced_count == 30


def test_circular_pages_stop_the_run_keep_the_gap_and_say_so(sync, flow, gaps, world):
    flow.repeat_page_next(5)
    run = sync()
    assert run.state == RunState.FAILED
    assert "repeats itself" in run.error
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
def test_what_passes_is_asked_again(sync, flow, break_it):
    break_it(flow)
    assert sync().synced_count == 40


def test_a_service_that_stays_away_is_told_to_who_waits_and_tried_until_it_is_back(
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


def test_an_unknown_shape_stops_the_run_with_a_sample_for_a_report(sync, flow, gaps):
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
def test_a_signed_out_session_waits_for_cookies_and_goes_on_with_good_ones(
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


def test_an_account_that_moved_is_told_so(sync, world, profile_id):
    world.migrate()
    run = sync()
    assert (run.state, run.error_code) == (RunState.FAILED, "moved")
    assert profiles.get_profile(profile_id).health == "moved"


def test_cookies_that_could_not_be_checked_are_checked_before_the_first_page(work, flow, world, sync):
    """Cookies that were saved while Flow was away must not bring somebody else's images."""
    flow.fail_next(503, kind="session", count=1)
    profile = work.accounts.add("Twin", world.cookie_header())
    assert profile.health == "unchecked"
    run = work.syncs.wait(work.syncs.start(profile.id, histories=(UPLOADS,)).id)
    assert (run.state, run.error_code) == (RunState.FAILED, "account_exists")
    assert counts.count_profile(profile.id).total == 0


def test_the_check_before_the_first_page_is_as_patient_as_all_else(work, flow, world):
    with store.connection():
        flow.fail_next(503, kind="session", count=1)
        profile = work.accounts.add("Ada", world.cookie_header())
        flow.fail_next(503, kind="session", count=2)
        run = work.syncs.wait(work.syncs.start(profile.id, histories=(UPLOADS,)).id)
        assert (run.state, run.synced_count) == (RunState.DONE, 40)
        assert profiles.get_profile(profile.id).health == "well"


def test_of_two_wishes_in_the_same_moment_one_is_told_so(work, profile_id, sync, flow):
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


def test_a_profile_removed_while_a_page_is_read_leaves_no_row(work, profile_id, sync, flow, wait_until):
    with flow.holding("history", at=2) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        work.remove_profile(profile_id)
        gate.release()
    wait_until(lambda: not work.syncs.has_thread(run.id))
    assert Image.select().count() == 0


def test_a_run_whose_profile_is_gone_ends_without_a_word_of_trouble(
    work, profile_id, flow, wait_until, caplog
):
    with store.connection(), flow.holding("history", at=2) as gate:
        run = work.syncs.start(profile_id, histories=(UPLOADS,))
        assert gate.reached.wait(5)
        profiles.remove_profile(profile_id)
        gate.release()
        wait_until(lambda: not work.syncs.has_thread(run.id))
    assert "Traceback" not in caplog.text


def test_cookies_pasted_while_the_old_ones_are_checked_let_the_run_go_on(work, flow, world):
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


def test_cookies_that_nobody_can_check_do_not_take_the_place_of_good_ones(work, flow, world, profile_id):
    flow.fail_next(503, kind="session", count=1)
    with store.connection():
        before = profiles.get_cookies(profile_id)
        with pytest.raises(FlowUnavailable, match="old ones were kept"):
            work.replace_cookies(profile_id, world.cookie_header())
        assert profiles.get_cookies(profile_id) == before


def test_a_run_that_a_killed_process_left_is_set_aside_by_another_wish(work, profile_id, sync):
    run = runs.start_sync(profile_id, histories=BOTH, mode=SyncMode.FULL, start_cursor=None, max_pages=None)
    assert sync().state == RunState.DONE
    assert runs.get_run(run.id).state == RunState.PAUSED


def test_a_caller_s_cursor_opens_a_gap_only_once_flow_accepted_it(sync, gaps, world):
    first = sync(SyncMode.ALL, max_pages=1)
    assert sync(SyncMode.ALL, start_cursor="made-up").error_code == "cursor_refused"
    assert [gap.cursor for gap in gaps()] == [first.last_cursor]
    run = sync(SyncMode.ALL, start_cursor=first.last_cursor)
    assert run.synced_count == 22
    assert Gap.select().where(Gap.history == UPLOADS).count() == 0
