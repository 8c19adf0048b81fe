"""Values that no program of ours wrote, as flipped bytes make them: every page passes them by."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from webapp import store
from webapp.database.models import TABLES, Download, Export, Image, Profile, Run
from webapp.database.states import DownloadState

COLUMNS = [(model._meta.table_name, column) for model in TABLES for column in sorted(model._meta.columns)]
VALUES = [
    "CAST(x'ff41' AS TEXT)",
    "x'00ff'",
    "'a' || char(0) || 'b'",
    "'not a number'",
    "'2026-13-45T99:99:99.000000Z'",
    "'2026-01-01'",
    "'9999-12-31T23:59:59.999999Z'",
    "'-'",
    "'[]'",
    '\'{"a": "b"}\'',
    "''",
    "'/'",
    "-1",
    "0",
    "9223372036854775807",
    "1e300",
    "0.5",
]


@pytest.fixture
def pages(client, work, profile_id, world, flow):
    """Every page of a shelf that has a row in each table, one page for each row that has one."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id, max_pages=2).id)
        flow.fail_next(404, "media", 2)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id, 6).id)
        with_file = Image.get(Image.local_path.is_null(False)).id
        failed = Download.get(Download.state == DownloadState.FAILED).image_id
        Image.update(hidden_at="2026-01-01T00:00:00.000000Z").where(Image.id == failed).execute()
        client.post(f"/profiles/{profile_id}/schedule", data={"kind": "hourly", "hours": "3"})
        client.post("/exports", data={"id": [with_file]})
        ids = {model: model.select().first().id for model in (Profile, Run, Export) if model.select().count()}
        runs = list(Run.select(Run.id).scalars())
    return [
        "/",
        "/?sort=downloaded",
        "/?state=hidden",
        "/?q=kite",
        "/grid/more",
        "/grid/totals",
        f"/cards?id={with_file}&id={failed}",
        f"/images/{with_file}",
        f"/images/{failed}",
        f"/images/{with_file}/file",
        f"/images/{with_file}/thumbnail/320",
        "/metadata.json",
        "/metadata.csv",
        "/exports",
        *([f"/exports/{ids[Export]}"] if Export in ids else []),
        "/profiles",
        f"/profiles/{profile_id}",
        f"/profiles/{profile_id}/remove",
        "/activity",
        "/messages/new?since=0",
        "/overview",
        "/settings",
        "/panels/strip",
        "/panels/status",
        "/status",
        "/api/profiles",
        "/healthz",
        *(f"/runs/{run_id}" for run_id in runs),
        *(f"/api/runs/{run_id}" for run_id in runs),
    ]


def damaged(path, table, column, value):
    """Put a value into a column: of all rows, or of one where they have to differ. None if none may."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.text_factory = bytes
        before = connection.execute(f'SELECT rowid, "{column}" FROM "{table}"').fetchall()
        for condition in ("", f' WHERE rowid = (SELECT MAX(rowid) FROM "{table}")'):
            try:
                connection.execute(f'UPDATE "{table}" SET "{column}" = {value}{condition}')
                return before
            except sqlite3.Error:
                continue
    return None


def restore(path, table, column, before):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for rowid, value in before:
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (text, rowid))


@given(place=st.sampled_from(COLUMNS), value=st.sampled_from(VALUES))
@example(place=("run", "started_at"), value="'not a number'")
@example(place=("run", "ignored_reasons"), value="1e300")
@example(place=("run", "synced_count"), value="'not a number'")
@example(place=("image_event", "kind"), value="'-'")
@example(place=("image_tally", "size_bytes"), value="9223372036854775807")
@example(place=("veo3_image_generations", "prompt"), value="CAST(x'ff41' AS TEXT)")
@example(place=("veo3_image_generations", "created_at"), value="x'00ff'")
@example(place=("veo3_image_generations", "sha256"), value='\'{"a": "b"}\'')
@example(place=("profile", "id"), value="CAST(x'ff41' AS TEXT)")
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_page_fails_because_of_a_damaged_value(place, value, pages, client, config):
    before = damaged(config.database_path, *place, value)
    if before is None:
        return
    try:
        failed = [page for page in pages if not is_well(client.get(page))]
    finally:
        restore(config.database_path, *place, before)
    assert not failed


def is_well(response):
    """Whether it is a page, or says that the database is damaged."""
    return response.status_code < 500 or "The database is damaged" in response.text
