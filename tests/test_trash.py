"""The trash: what goes there, how it comes back, and what is deleted for good and when."""

import io
import json
import os
import sqlite3
import subprocess
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from PIL import Image as Picture
from test_removals import kill_in_between
from test_upgrade import RELEASED, execute

from webapp import store
from webapp.cli import main
from webapp.database import copy_database
from webapp.database.base import db
from webapp.database.models import Image, StorageRoot, TrashedFile
from webapp.database.restore import restore_database
from webapp.database.states import RunState, TrashReason, TrashState
from webapp.maintenance.verify import verify
from webapp.storage import TRASH_FOLDER
from webapp.store import roots, trash, trashing
from webapp.store.gallery import counts, images
from webapp.store.runs import downloads
from webapp.times import timestamp
from webapp.web.services import background_of

LONG_AGO = "2020-01-01T00:00:00.000000Z"


def picture(colour="red"):
    content = io.BytesIO()
    Picture.new("RGB", (30, 20), colour).save(content, "JPEG")
    return content.getvalue()


@pytest.fixture
def shelf(work, profile_id, flow):
    """The background after a sync, with an open connection, which a command in this process may replace."""
    db.connect()
    sync(work, profile_id)
    flow.reset()
    yield work
    if not db.is_closed():
        db.close()


def sync(work, profile_id, mode="full"):
    assert work.syncs.wait(work.syncs.start(profile_id, mode=mode).id).state == RunState.DONE


def download(work, profile_id, ids, **options):
    if run := work.downloads.request(profile_id, ids, **options):
        assert work.downloads.wait_for_run(run.id).state == RunState.DONE


@pytest.fixture
def files(shelf, profile_id):
    """Five images with their files."""
    shelf.downloads.wait_for_run(shelf.downloads.request_pending(profile_id, 5).id)
    found = images.list_with_file(profile_id=profile_id)
    assert len(found) == 5
    return found


def row(image):
    return images.get_image(image.id)


def contents(listed):
    return [Path(image.file_path).read_bytes() for image in listed]


def ids_of(listed):
    return [image.id for image in listed]


def trashed():
    return list(TrashedFile.select().order_by(TrashedFile.id))


def age():
    """Let the deletion have been long ago."""
    TrashedFile.update(trashed_at=LONG_AGO).execute()


def parsed(response):
    return BeautifulSoup(response.text, "html.parser")


def media_requests(flow):
    return [request for request in flow.log if request.kind in ("media", "picture")]


# There and back


def test_undo_brings_every_file_of_a_deletion_back_as_it_was(client, confirm, files):
    before = contents(files)
    response = confirm("delete", {"image_id": ids_of(files), "here": "/"})
    assert not any(os.path.exists(image.file_path) for image in files)
    page = parsed(client.get(response.location))
    button = page.select_one(".outcome form button[name=undo]")
    back = client.post(button.find_parent("form")["action"], data={"undo": button["value"], "here": "/"})
    assert "5 files were restored" in parsed(client.get(back.location)).select_one(".outcome").text
    assert contents(files) == before
    for image in files:
        found = row(image)
        assert (found.file_path, found.sha256, found.size_bytes) == (
            image.file_path,
            image.sha256,
            image.size_bytes,
        )
        assert found.not_wanted_at is None
    assert trashed() == []
    assert not Path(files[0].file_path).parents[1].joinpath(TRASH_FOLDER).exists()


def test_a_file_in_the_trash_counts_nowhere_and_is_not_pending(shelf, files, profile_id, config):
    before = counts.count_profile(profile_id)
    shelf.delete_files(ids_of(files[:2]))
    after = counts.count_profile(profile_id)
    assert (after.downloaded, after.total) == (before.downloaded - 2, before.total)
    pending = set(downloads.pending_query(profile_id).scalars())
    assert not pending.intersection(ids_of(files[:2]))
    report = verify(shelf.downloads.roots)
    assert (report.is_well, report.counts, report.found_count) == (True, {"whole": 3}, 0)
    assert shelf.check_unknown_files(moves=True).count == 0
    assert len(trashed()) == 2


def test_undo_never_overwrites(shelf, files, profile_id, world):
    image = files[0]
    path = Path(image.file_path)
    path.write_bytes(picture())  # so that a download does not take it from the trash
    act = shelf.delete_files([image.id]).act
    download(shelf, profile_id, [image.id])
    assert path.read_bytes() == world.content(image.name)
    done = shelf.trash.undo(act)
    assert (done.restored_count, done.aside_count) == (0, 1)
    assert path.read_bytes() == world.content(image.name)
    assert path.with_stem(f"{path.stem}-restored").read_bytes() == picture()
    assert row(image).file_path == str(path)


def test_a_foreign_file_at_the_old_place_stays_and_the_image_gets_its_own_next_to_it(shelf, files):
    image, (content, *_) = files[0], contents(files)
    path = Path(image.file_path)
    act = shelf.delete_files([image.id]).act
    path.write_bytes(b"mine")
    assert shelf.trash.undo(act).restored_count == 1
    assert path.read_bytes() == b"mine"
    assert row(image).file_path == str(path.with_stem(f"{path.stem}-restored"))
    assert Path(row(image).file_path).read_bytes() == content


def test_downloading_a_trashed_image_takes_its_file_without_a_request_to_flow(
    shelf, files, profile_id, flow, wait_until
):
    before = contents(files)
    shelf.delete_files(ids_of(files))
    flow.reset()
    download(shelf, profile_id, ids_of(files))
    assert media_requests(flow) == []
    assert contents(files) == before
    wait_until(lambda: trashed() == [])  # a moment after the run
    assert all(row(image).not_wanted_at is None for image in files)


def test_a_file_that_was_changed_before_it_was_deleted_is_fetched_anew_and_stays_in_the_trash(
    shelf, files, profile_id, flow, world
):
    image = files[0]
    Path(image.file_path).write_bytes(picture())
    shelf.delete_files([image.id])
    flow.reset()
    download(shelf, profile_id, [image.id])
    assert len(media_requests(flow)) > 0
    assert Path(row(image).file_path).read_bytes() == world.content(image.name)
    assert [each.path_in_trash.read_bytes() for each in trashed()] == [picture()]


def test_a_damaged_file_goes_to_the_trash_when_it_is_downloaded_again(shelf, files, profile_id, world):
    image = files[0]
    damaged = Path(image.file_path).read_bytes()[:-40]
    Path(image.file_path).write_bytes(damaged)
    images.mark_damaged([image.id], LONG_AGO)
    download(shelf, profile_id, [image.id])
    assert Path(row(image).file_path).read_bytes() == world.content(image.name)
    (kept,) = trashed()
    assert (kept.reason, kept.state, kept.path_in_trash.read_bytes()) == ("replaced", "kept", damaged)


def test_the_files_of_a_removed_profile_go_to_the_trash_with_name_and_account(
    shelf, files, profile_id, world, config
):
    before = {image.name: content for image, content in zip(files, contents(files), strict=True)}
    shelf.remove_profile(profile_id, with_files=True)
    assert sorted(path.name for path in config.images_dir.iterdir()) == [TRASH_FOLDER]
    about = json.loads(next((config.images_dir / TRASH_FOLDER).rglob("about.json")).read_bytes())
    assert {(each["profile"], each["account"]) for each in about["files"]} == {("Ada", world.email)}
    folder = next((config.images_dir / TRASH_FOLDER).iterdir())
    assert {each["image"]: (folder / each["file"]).read_bytes() for each in about["files"]} == before
    again = shelf.accounts.add("Ada", world.cookie_header()).id
    sync(shelf, again)
    done = shelf.trash.restore(trash.list_all_ids())
    assert done.restored_count == 5
    found = {image.name: Path(image.file_path) for image in images.list_with_file(profile_id=again)}
    assert {name: path.read_bytes() for name, path in found.items()} == before
    assert all(path.parent == config.images_dir / again for path in found.values())


def test_without_its_image_a_restored_file_lies_where_it_was(shelf, files, profile_id):
    before = contents(files)
    shelf.remove_profile(profile_id, with_files=True)
    done = shelf.trash.restore(trash.list_all_ids())
    assert (done.restored_count, done.aside_count) == (0, 5)
    assert contents(files) == before


def test_the_trash_of_a_root_moves_with_it(shelf, files, profile_id, tmp_path):
    image, root = files[0], tmp_path / "disk"
    (root / "pictures").mkdir(parents=True)
    moved = root / "pictures" / "a.jpg"
    moved.write_bytes(Path(image.file_path).read_bytes())
    shelf.trash._roots = (root,)
    roots.load_roots(shelf.downloads._config.images_dir, [root])
    Image.update(**roots.place_columns(moved)).where(Image.id == image.id).execute()
    act = shelf.delete_files([image.id]).act
    assert list(root.rglob("*.jpg")) == list((root / TRASH_FOLDER).rglob("*.jpg")) != []
    elsewhere = tmp_path / "elsewhere"
    root.rename(elsewhere)
    roots.move_root(StorageRoot.get().id, elsewhere)
    shelf.trash._roots = (elsewhere,)
    assert shelf.trash.undo(act).restored_count == 1
    assert row(image).file_path == str(elsewhere / "pictures" / "a.jpg")
    assert os.path.exists(row(image).file_path)


def test_a_file_under_no_root_is_not_deleted_and_that_is_said(client, confirm, files, tmp_path):
    foreign = tmp_path / "letter.jpg"
    foreign.write_bytes(b"mine")
    Image.update(local_path=str(foreign)).where(Image.id == files[0].id).execute()
    response = confirm("delete", {"image_id": ids_of(files[:2]), "here": "/"})
    assert "1 file was not deleted" in parsed(client.get(response.location)).select_one(".outcome").text
    assert foreign.read_bytes() == b"mine"
    assert row(files[0]).not_wanted_at is None


@contextmanager
def in_use(path):
    """Inside the block the system refuses to move a file."""
    if subprocess.run(["mount", "--bind", path, path], check=False, capture_output=True).returncode:
        pytest.skip("only root can make a file that cannot be moved")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_a_file_in_use_is_moved_as_soon_as_nobody_uses_it(client, confirm, files, wait_until, shelf):
    path = files[0].file_path
    with in_use(path):
        response = confirm("delete", {"image_id": ids_of(files[:2]), "here": "/"})
        assert "1 file is in use" in parsed(client.get(response.location)).select_one(".outcome").text
        assert "In use" in client.get("/trash").text
        assert [each.state for each in trashed()] == [TrashState.MOVING, TrashState.KEPT]
    shelf.trash.wake()
    wait_until(lambda: {each.state for each in trashed()} == {TrashState.KEPT})
    assert not os.path.exists(path)
    assert row(files[0]).local_path is None


def test_the_deletion_of_a_file_in_use_can_be_undone(shelf, files):
    with in_use(files[0].file_path):
        act = shelf.delete_files(ids_of(files[:1])).act
        assert shelf.trash.undo(act).restored_count == 1
    shelf.trash.resume()
    assert os.path.exists(files[0].file_path)
    assert (row(files[0]).file_path, row(files[0]).not_wanted_at) == (files[0].file_path, None)


# For good


def test_only_what_flow_still_has_leaves_the_trash_by_itself_and_only_after_its_time(
    shelf, files, profile_id
):
    """Each of the five files fails another condition; then none does."""
    imported, gone, changed, unseen, young = files
    Path(changed.file_path).write_bytes(picture())
    db.execute_sql("UPDATE download SET fetched_sha256 = NULL WHERE image_id = ?", (imported.id,))
    shelf.delete_files(ids_of(files))
    sync(shelf, profile_id)
    Image.update(gone_upstream_at=LONG_AGO).where(Image.id == gone.id).execute()
    Image.update(seen_walk_id=1).where(Image.id == unseen.id).execute()
    TrashedFile.update(trashed_at=LONG_AGO).where(TrashedFile.image_id != young.id).execute()
    for _ in range(2):
        shelf.trash.empty_due()
        assert {each.image_id for each in trashed()} == set(ids_of(files))
        assert all(each.path_in_trash.exists() for each in trashed())
    age()
    shelf.trash.empty_due()
    assert {each.image_id for each in trashed()} == set(ids_of(files)) - {young.id}


def test_files_leave_the_trash_after_as_many_days_as_were_chosen(shelf, files, profile_id):
    shelf.delete_files(ids_of(files))
    sync(shelf, profile_id)
    moment = timestamp(datetime.now(UTC) - timedelta(days=3))
    TrashedFile.update(trashed_at=moment).execute()
    assert trash.list_due_ids(30) == []
    assert len(trash.list_due_ids(2)) == 5
    shelf.choose_settings({"trash_days": "2"})
    shelf.trash.empty_due()
    assert trashed() == []


def test_a_sync_from_before_the_deletion_is_no_proof_that_flow_still_has_the_image(shelf, files):
    shelf.delete_files(ids_of(files))
    age()
    shelf.trash.empty_due()
    assert len(trashed()) == 5
    assert trash.summary().unsure_count == 5


def test_a_person_reads_how_many_exist_nowhere_else_before_emptying(client, shelf, files, profile_id):
    db.execute_sql("UPDATE download SET fetched_sha256 = NULL WHERE image_id = ?", (files[0].id,))
    shelf.delete_files(ids_of(files[:2]))
    sync(shelf, profile_id)
    shelf.delete_files(ids_of(files[2:4]))
    page = parsed(client.get("/trash/empty"))
    assert "Delete 4 files for good?" in page.h1.text
    assert "1 file exists nowhere else" in page.text
    assert "2 files may not exist elsewhere" in page.text
    fields = {field["name"]: field["value"] for field in page.select("main form input[type=hidden]")}
    shelf.delete_files(ids_of(files[4:]))  # after the page was made
    client.post("/trash/empty", data=fields)
    assert [each.image_id for each in trashed()] == [files[4].id]
    assert len(list(Path(files[0].file_path).parents[1].glob(f"{TRASH_FOLDER}/*/*"))) == 2


def test_nothing_is_emptied_when_more_files_exist_only_here_than_the_person_read(client, shelf, files):
    shelf.delete_files(ids_of(files))
    page = parsed(client.get("/trash/empty"))
    fields = {field["name"]: field["value"] for field in page.select("main form input[type=hidden]")}
    Image.update(gone_upstream_at=LONG_AGO).where(Image.id == files[0].id).execute()
    response = client.post("/trash/empty", data=fields)
    assert "Nothing was done" in response.text
    assert len(trashed()) == 5


def test_a_file_that_somebody_removed_from_the_trash_is_forgotten(running, files, shelf, wait_until):
    shelf.delete_files(ids_of(files))
    trashed()[0].path_in_trash.unlink()
    db.close()
    running()
    with store.connection():
        wait_until(lambda: len(trashed()) == 4)


# The page


def test_the_trash_page_restores_one_the_ticked_or_all(client, shelf, files):
    shelf.delete_files(ids_of(files))
    page = parsed(client.get("/trash"))
    assert len(page.select(".trash li")) == 5
    assert "5 files" in page.select_one(".lead").text
    one, *others = [box["value"] for box in page.select("input[name=file]")]
    client.post("/trash/restore", data={"only": one})
    assert len(trashed()) == 4
    client.post("/trash/restore", data={"file": others[:2]})
    assert len(trashed()) == 2
    everything = page.select_one("button[name=all]")["value"]
    response = client.post("/trash/restore", data={"all": everything})
    assert "2 files were restored" in client.get(response.location).text
    assert trashed() == []
    assert all(os.path.exists(image.file_path) for image in files)
    assert "The trash is empty" in client.get("/trash").text
    assert client.post("/trash/restore", data={}).status_code == 400


def test_the_trash_page_has_thumbnails_but_not_of_removed_profiles(client, shelf, files, profile_id, config):
    shelf.delete_files(ids_of(files[:1]))
    url = parsed(client.get("/trash")).select_one(".trash img")["src"]
    with client.get(url) as response:
        assert (response.status_code, response.mimetype) == (200, "image/webp")
    shelf.remove_profile(profile_id, with_files=True)
    assert parsed(client.get("/trash")).select(".trash img") == []
    assert client.get(url).status_code == 404
    assert not (config.thumbnails_dir / profile_id).exists()


def test_a_download_may_not_be_written_into_the_trash(client, shelf, files, profile_id, config):
    for name in (TRASH_FOLDER, TRASH_FOLDER.upper(), f"{profile_id}/{TRASH_FOLDER}/x"):
        body = {"profileId": profile_id, "imageNames": [], "localStoragePath": str(config.images_dir / name)}
        response = client.post("/api/image-veo3/download-batch", json=body)
        assert (response.status_code, response.json["code"]) == (400, "bad_path")


def test_the_api_and_the_command_show_restore_and_empty_the_trash(client, shelf, files, config):
    shelf.delete_files(ids_of(files))
    found = client.get("/api/trash").json["data"]
    assert (found["count"], found["unsureCount"], len(found["files"])) == (5, 5, 5)
    names = [files[0].name]
    done = client.post("/api/trash/restore", json={"imageNames": names}).json["data"]
    assert done == {"restored": 1, "aside": 0, "notRestored": 0}
    assert client.post("/api/trash/restore", json={}).json["code"] == "bad_request"
    db.close()

    def command(*options):
        return CliRunner().invoke(main, ["trash", "--data-dir", str(config.data_dir), *options])

    assert "4 files in the trash" in command().output
    assert command("--restore", files[1].name).exit_code == 0
    assert command("--restore", "no such name").exit_code == 1
    refused = command("--empty")
    assert (refused.exit_code, "3 may not exist elsewhere" in refused.output) == (1, True)
    assert "3 files were deleted for good" in command("--empty", "--yes").output
    with store.connection():
        assert trashed() == []
        assert sum(os.path.exists(image.file_path) for image in files) == 2


# Kills and backups


@pytest.mark.parametrize("calls", [0, 2, 4, 5, 6, 7, 8])
def test_whatever_is_killed_each_file_is_in_one_place_and_all_is_carried_on(
    shelf, files, config, running, wait_until, calls
):
    """Delete, restore some, empty some: killed before the file with each number."""
    before = {image.id: content for image, content in zip(files, contents(files), strict=True)}
    ids = ids_of(files)
    statement = (
        f"from webapp.store import trash; act = work.trash.delete({ids!r}).act;"
        " all = trash.list_ids_of_act(act); work.trash.restore(all[:3]); work.trash.empty(all[3:4])"
    )
    background_stop(shelf)
    kill_in_between(config, statement, calls)
    running()
    with store.connection():
        wait_until(lambda: {each.state for each in trashed()} <= {TrashState.KEPT})
        in_trash = {each.image_id: each.path_in_trash.read_bytes() for each in trashed()}
        found = [image for image in images.list_by_ids(ids) if image.local_path]
        on_shelf = {image.id: Path(image.file_path).read_bytes() for image in found}
        assert not in_trash.keys() & on_shelf.keys()
        assert len(before) - len(in_trash | on_shelf) <= 1, "only one was to be emptied"
        assert (in_trash | on_shelf).items() <= before.items()
        paths = [path for path in config.images_dir.rglob("*.*") if path.is_file()]
        assert len([path for path in paths if path.name != "about.json"]) == len(in_trash) + len(on_shelf)


def test_an_about_file_that_a_kill_cut_short_is_written_anew(shelf, files, config, running, wait_until):
    folder = trashing.add_files(files[:2], TrashReason.DELETED)[0].path_in_trash.parent
    folder.mkdir(parents=True)
    (folder / ".flowshelf-x.part").write_bytes(b"{")
    background_stop(shelf)
    running()
    with store.connection():
        wait_until(lambda: {each.state for each in trashed()} == {TrashState.KEPT})
    about = json.loads((folder / "about.json").read_bytes())
    assert {each["image"] for each in about["files"]} == {image.name for image in files[:2]}
    assert len(list(folder.iterdir())) == 3


def background_stop(work):
    db.close()
    work.stop()


def test_files_deleted_after_a_backup_are_found_in_the_trash_of_the_restored_one(
    shelf, files, config, running, tmp_path, client
):
    before, copy = contents(files), tmp_path / "copy"
    shelf.delete_files(ids_of(files[:1]))
    copy_database(config.database_path, copy)
    shelf.delete_files(ids_of(files[1:]))
    age()
    background_stop(shelf)
    restore_database(copy, config.database_path)
    app = running()
    with store.connection():
        verify(background_of(app).downloads.roots)
        found = trashed()
        assert len(found) == 5
        assert all(each.trashed_at > LONG_AGO for each in found), "they stay as if deleted now"
        assert sum(each.fetched_sha256 is None for each in found) == 4, "only a person deletes them"
        assert background_of(app).trash.restore(trash.list_all_ids()).restored_count == 5
        assert contents(files) == before
        assert {row(image).file_path for image in files} == {image.file_path for image in files}


def test_what_version_0_1_downloaded_counts_as_downloaded_from_flow(tmp_path):
    path, sha256 = tmp_path / "flowshelf.sqlite3", "5" * 64
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(RELEASED.read_text())
    profile = "INSERT INTO profile (id, name, health, cookie_names, created_at) VALUES ('p', 'A', '', '', ?)"
    image = """INSERT INTO veo3_image_generations (id, profile_id, name, workflow_id, media_key, created_at,
        local_path, sha256, downloaded_at) VALUES (?1, 'p', ?1, ?1, ?1, ?2, ?1, ?3, ?4)"""
    download = """INSERT INTO download (image_id, profile_id, run_id, state, is_permanent, finished_at)
        VALUES (?, 'p', 'r', 'done', 0, ?)"""
    execute(path, ("PRAGMA foreign_keys = off",), (profile, LONG_AGO))
    for id_, downloaded_at in (("fetched", LONG_AGO), ("imported since", "2021-01-01T00:00:00.000000Z")):
        execute(path, (image, id_, LONG_AGO, sha256, downloaded_at), (download, id_, LONG_AGO))
    store.open_database(path)
    with store.connection():
        rows = db.execute_sql("SELECT image_id, fetched_sha256 FROM download ORDER BY image_id").fetchall()
    assert rows == [("fetched", sha256), ("imported since", None)]
