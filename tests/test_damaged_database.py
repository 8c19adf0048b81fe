"""A damaged database: every start and every command ends with a sentence that says what to do."""

import shutil

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webapp import create_app, store
from webapp.cli import main
from webapp.database.base import db
from webapp.errors import FlowshelfError
from webapp.maintenance import doctor
from webapp.web.services import background_of

# A change of one bit at a place: half of the places are in the first pages, which hold the schema.
BITS = st.tuples(st.floats(0, 0.999) | st.floats(0, 0.05), st.integers(0, 7))


@pytest.fixture
def shelf_bytes(work, profile_id, config):
    """The database of a shelf with one profile after a sync."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
    work.stop()
    return Content(config.database_path.read_bytes())


class Content(bytes):
    """A failing example shows this in its place, and not a megabyte."""

    def __repr__(self):
        return f"<{len(self)} bytes>"


def flipped(content, bits):
    damaged = bytearray(content)
    for place, bit in bits:
        damaged[int(place * len(damaged))] ^= 1 << bit
    return bytes(damaged)


def start(config):
    """Start and stop as a server does. Returns the sentence of an error."""
    try:
        work = background_of(create_app(config))
        try:
            work.start()
        finally:
            work.stop()
    except FlowshelfError as error:
        return str(error)
    finally:
        if not db.is_closed():
            db.close()
    return None


@given(bits=st.lists(BITS, min_size=1, max_size=40))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_start_and_commands_on_flipped_bits_end_without_a_traceback(bits, shelf_bytes, config, monkeypatch):
    monkeypatch.setenv("FLOWSHELF_DATA_DIR", str(config.data_dir))
    for file in config.data_dir.glob("flowshelf.sqlite3*"):
        file.unlink()
    config.database_path.write_bytes(flipped(shelf_bytes, bits))
    doctor.check_database(config)
    for command in (["backup", str(config.data_dir / "copy"), "--force"], ["profiles"]):
        done = CliRunner().invoke(main, command)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == 0 or "Error: " in done.output
    sentence = start(config)
    assert sentence is None or sentence.endswith(".")


@pytest.mark.parametrize(
    ("text", "damaged"), [(b"AUTOINCREMENT", b"AUTOI\xceCREMENT"), (b"PRIMARY KEY", b"PRIMA\xd2Y KEY")]
)
def test_damage_that_sqlite_quotes_in_its_message_is_a_sentence(shelf_bytes, config, text, damaged):
    config.database_path.write_bytes(shelf_bytes.replace(text, damaged))
    assert "flowshelf restore FILE" in start(config)
    assert "flowshelf restore FILE" in doctor.check_database(config).sentence
    assert list(doctor.check_disks(config))


def test_a_journal_of_another_database_is_named(shelf_bytes, config, tmp_path):
    """A copied database next to which another one has left its write-ahead log."""
    other = tmp_path / "flowshelf.sqlite3"
    store.open_database(other)
    store.keep_open(other)
    with store.connection():
        db.execute_sql("CREATE TABLE unknown (a)")
        db.execute_sql("DROP TABLE unknown")
        shutil.copy(tmp_path / "flowshelf.sqlite3-wal", config.data_dir)
    store.close_kept()
    config.database_path.write_bytes(shelf_bytes[: len(shelf_bytes) // 2])
    assert "flowshelf.sqlite3-wal" in doctor.check_database(config).sentence
    assert "move it away" in start(config)
