"""Settings that a person may choose: the environment and flags win, and a change holds at once."""

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.config import CHOOSABLE, read_config
from webapp.store import settings
from webapp.store.runs import downloads
from webapp.web.services import background_of


def chosen(app):
    with store.connection():
        return settings.list_chosen()


@pytest.fixture
def save(client):
    return lambda **texts: client.post("/settings", data=texts)


def test_what_is_chosen_holds_at_once_and_after_a_restart(save, work, running):
    assert save(download_workers="3", page_delay_seconds="0.5").status_code == 303
    assert (work.settings.current.download_workers, work.settings.current.page_delay_seconds) == (3, 0.5)
    assert background_of(running()).settings.current.download_workers == 3


def test_an_empty_field_takes_the_default(app, save, work, config):
    save(download_workers="3")
    save(download_workers="")
    assert work.settings.current.download_workers == config.download_workers
    assert chosen(app) == {}


@pytest.mark.parametrize("text", ["0", "65", "many", "1e3", "-1"])
def test_a_value_that_cannot_be_used_is_a_sentence_and_changes_nothing(app, save, work, text):
    save(download_workers="4")
    response = save(download_workers=text, page_delay_seconds="2")
    assert response.status_code == 422
    assert "Parallel downloads" in response.text
    assert f'value="{text}"' in response.text
    assert chosen(app) == {"download_workers": "4"}


def test_the_configuration_knows_what_the_environment_and_flags_have_set(tmp_path):
    config = read_config({"FLOWSHELF_DOWNLOAD_WORKERS": "2"}, data_dir=str(tmp_path), port=None)
    assert config.given == {"download_workers", "data_dir"}


def test_what_the_environment_has_set_wins_is_shown_as_fixed_and_cannot_be_chosen(save, running):
    save(download_workers="9")
    app = running(download_workers=2, given=frozenset({"download_workers"}))
    assert background_of(app).settings.current.download_workers == 2
    visitor = app.test_client()
    field = BeautifulSoup(visitor.get("/settings").text, "html.parser").select_one("#download_workers")
    assert (field["value"], field.has_attr("disabled")) == ("2", True)
    assert visitor.post("/settings", data={"download_workers": "9"}).status_code == 422


def test_a_choice_that_this_version_does_not_accept_is_left_out(app, running):
    with store.connection():
        settings.save_chosen({"download_workers": "900", "of_a_later_version": "1"})
    assert background_of(running()).settings.current.download_workers == 6


def test_neither_hosts_nor_folders_nor_urls_can_be_chosen():
    assert set(CHOOSABLE) == {"page_delay_seconds", "download_workers", "trash_days"}


def test_another_limit_holds_for_a_run_that_is_under_way(shelf, profile_id, flow, wait_until):
    def thread_count():
        return shelf.downloads._thread_counts[profile_id]

    flow.latency_seconds = {"media": 0.3}
    shelf.choose_settings({"download_workers": "4"})
    run = shelf.downloads.request_pending(profile_id)
    for count in (4, 1, 3):
        shelf.choose_settings({"download_workers": str(count)})
        wait_until(lambda count=count: thread_count() == count)
        assert downloads.count_queued(run.id) > count  # it is not for want of images
    flow.latency_seconds = {}
    assert shelf.downloads.wait_for_run(run.id).failed_count == 0


def test_a_shorter_page_delay_holds_for_a_sync_that_is_under_way(work, profile_id, world, flow):
    world.add_uploaded(18 * 12)
    with store.connection():
        work.choose_settings({"page_delay_seconds": "600"})
        run = work.syncs.start(profile_id, histories=("ASSET_MANAGER",))
        with flow.holding("history", at=9) as gate:
            assert gate.reached.wait(5)
            work.choose_settings({"page_delay_seconds": "0"})
        assert work.syncs.wait(run.id).page_count > 12


def test_a_choice_of_another_version_is_kept(app, save):
    with store.connection():
        settings.save_chosen({"of_a_later_version": "1"})
    save(download_workers="3")
    assert chosen(app) == {"of_a_later_version": "1", "download_workers": "3"}
