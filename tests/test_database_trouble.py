"""Trouble of the database while runs are under way: no image fails, and the run goes on."""

import sqlite3
import subprocess
import threading
from contextlib import closing, contextmanager, suppress

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.database import opening
from webapp.database.states import RunKind, RunState
from webapp.store import runs
from webapp.store.gallery import images
from webapp.web.services import background_of


@pytest.fixture
def impatient(monkeypatch, running):
    """The app, with a database that waits a tenth of a second for the lock of another program."""
    monkeypatch.setattr(opening, "WAIT_SECONDS", 0.1)
    return running()


@contextmanager
def locked(config):
    """Inside the block another program has locked the database for writing."""
    with closing(sqlite3.connect(config.database_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_lock_of_another_program_fails_no_image(impatient, config, flow, world, wait_until):
    work = background_of(impatient)
    with store.connection():
        profile = work.accounts.add("Ada", world.cookie_header())
        work.syncs.wait(work.syncs.start(profile.id).id)
        flow.reset()
        ids = list(images.find_ids(profile.id, world.names()[:20]).values())
        with flow.holding("media", at=5) as gate:
            run = work.downloads.request(profile.id, ids)
            assert gate.reached.wait(5)
            with locked(config):
                gate.release()
                wait_until(work.troubles.find)
        run = work.downloads.wait_for_run(run.id)
    assert (run.state, run.done_count, run.failed_count) == (RunState.DONE, 20, 0)
    assert flow.count("media") == 20


def test_a_lock_of_another_program_ends_no_sync(impatient, config, flow, world, wait_until):
    work = background_of(impatient)
    with store.connection():
        profile = work.accounts.add("Ada", world.cookie_header())
        with flow.holding("history", at=2) as gate:
            run = work.syncs.start(profile.id)
            assert gate.reached.wait(5)
            with locked(config):
                gate.release()
                wait_until(work.troubles.find)
        run = work.syncs.wait(run.id)
    assert (run.state, run.error_code) == (RunState.DONE, None)


@pytest.fixture
def disk(tiny_disk):
    """A file system that has room for a reserve."""
    subprocess.run(["mount", "-o", "remount,size=32m", str(tiny_disk)], check=True)
    return tiny_disk


def fill(path):
    """Write until the disk takes no further byte."""
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)


def test_a_sync_that_cannot_be_stored_tells_callers_and_pages_and_goes_on_by_itself(
    running, disk, flow, world, wait_until, caplog
):
    app = running(data_dir=disk / "shelf")
    work, client = background_of(app), app.test_client()
    with store.connection():
        profile = work.accounts.add("Ada", world.cookie_header())
    with flow.holding("history", at=2) as gate:
        body = {"profileId": profile.id, "wait": False}
        run_id = client.post("/api/image-veo3/sync-metadata", json=body).get_json()["data"]["runId"]
        assert gate.reached.wait(5)
        fill(disk / "ballast")
        gate.release()
    wait_until(work.troubles.find)
    response = client.post("/api/image-veo3/sync-metadata", json={"profileId": profile.id})
    assert (response.status_code, response.get_json()["code"]) == (507, "disk_full")
    run = client.get(f"/api/runs/{run_id}").get_json()["data"]
    assert (run["state"], "is full" in run["waitsFor"]) == ("running", True)
    page = client.get("/")
    assert (page.status_code, "is full" in page.text) == (200, True)
    assert caplog.text.count("cannot go on now") == 1
    assert "Traceback" not in caplog.text
    (disk / "ballast").unlink()
    with store.connection():
        wait_until(lambda: runs.get_run(run_id).state == RunState.DONE)
    assert "is full" not in client.get("/").text


@pytest.fixture
def four_files(running, disk, world):
    """An app on a disk of its own, its profile's images and the ids of four that have files."""
    app = running(data_dir=disk / "shelf")
    work = background_of(app)
    with store.connection():
        profile = work.accounts.add("Ada", world.cookie_header())
        work.syncs.wait(work.syncs.start(profile.id).id)
        ids = list(images.find_ids(profile.id, world.names()[:4]).values())
        run = work.downloads.request(profile.id, ids)
        assert work.downloads.wait_for_run(run.id).done_count == 4
    return app, ids


def assert_deletes(app, ids):
    with store.connection():
        assert background_of(app).delete_for_good(ids) == (4, 0)
        assert [image.local_path for image in images.list_by_ids(ids)] == [None] * 4


def test_flowshelf_starts_on_a_full_disk_and_deletes_files(four_files, running, disk):
    app, ids = four_files
    background_of(app).stop()
    fill(disk / "ballast")
    app = running(data_dir=disk / "shelf")
    page = app.test_client().get("/")
    assert (page.status_code, "is full" in page.text) == (200, True)
    assert_deletes(app, ids)


def test_while_the_disk_is_full_delete_says_that_the_trash_is_no_help(four_files, disk, fields_of):
    app, ids = four_files
    client = app.test_client()
    question = client.post("/selection/ask/delete", data={"image_id": ids[:1]}).text
    assert "Delete for good" not in question
    with store.connection():
        background_of(app).delete_files(ids[1:2])
    fill(disk / "ballast")
    banner = BeautifulSoup(client.get("/").text, "html.parser").select_one("#trouble a")
    assert (banner.text, banner["href"]) == ("Empty trash", "/trash/empty")
    page = BeautifulSoup(client.post("/selection/ask/delete", data={"image_id": ids[:1]}).text, "html.parser")
    assert "this frees no space" in page.select_one("main").text
    button = page.select_one("button[formaction]")
    assert button.text == "Delete for good"
    assert client.post(button["formaction"], data=fields_of(page)).status_code == 303
    fields = fields_of(BeautifulSoup(client.get(banner["href"]).text, "html.parser"))
    assert client.post(banner["href"], data=fields).status_code == 303
    with store.connection():
        assert [image.local_path is None for image in images.list_by_ids(ids)].count(True) == 2
    assert len(list((disk / "shelf" / "images").rglob("*.*"))) == 2


def test_files_can_be_deleted_when_the_disk_is_full(four_files, disk):
    app, ids = four_files
    fill(disk / "ballast")
    page = app.test_client().get("/")
    assert (page.status_code, "is full" in page.text) == (200, True)
    assert_deletes(app, ids)


def test_new_images_are_queued_for_download_after_a_lock(impatient, config, flow, world, wait_until):
    """The lock comes after the last page was stored, when the sync queues what it found."""
    work = background_of(impatient)
    before_end, reached, released = work.syncs._before_end, threading.Event(), threading.Event()

    def held(run_id, state):
        reached.set()
        released.wait(10)
        before_end(run_id, state)

    work.syncs._before_end = held
    with store.connection():
        profile = work.accounts.add("Ada", world.cookie_header())
        run = work.syncs.start(profile.id, downloads_new=True)
        assert reached.wait(10)
        with locked(config):
            released.set()
            wait_until(work.troubles.find)
        assert work.syncs.wait(run.id).state == RunState.DONE
        download = runs.find_last_run(profile.id, RunKind.DOWNLOAD)
        assert work.downloads.wait_for_run(download.id).done_count == 70


def trouble_in(response):
    part = BeautifulSoup(response.text, "html.parser").select_one("#trouble[hx-swap-oob]")
    return part.text.strip() if part else None


def poll_url_in(response):
    return BeautifulSoup(response.text, "html.parser").find(id="messenger")["hx-get"]


def test_an_open_page_shows_a_trouble_and_takes_it_away(client, work):
    poll_url = poll_url_in(client.get("/messages/new"))
    assert client.get(poll_url).status_code == 204
    work.troubles.note("run", "sync", sqlite3.OperationalError("database or disk is full"))
    sentence = str(work.find_trouble())
    polled = client.get(poll_url)
    assert trouble_in(polled) == sentence
    assert client.get(poll_url_in(polled)).status_code == 204
    whole = BeautifulSoup(client.get("/help").text, "html.parser")
    assert sentence in whole.select_one("#trouble").text
    assert not whole.select("#trouble[hx-swap-oob]")
    work.troubles.clear("run")
    assert trouble_in(client.get(poll_url_in(polled))) == ""
