"""The database as a file: migrations, files that are refused, copies and backups."""

import runpy
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from peewee import OperationalError

from webapp import database, store
from webapp.cli import main
from webapp.database.base import db
from webapp.database.migrations import FOLDER
from webapp.errors import BadDatabase, NewerDatabase
from webapp.store import profiles
from webapp.store.gallery import counts
from webapp.store.gallery.filters import Filter
from webapp.web.services import background_of

RENAMED = runpy.run_path(str(FOLDER / "0005_standard_words.py"))["RENAMED"]
FIRST_RELEASE = (Path(__file__).parent / "database_v1.sql").read_text()
ELECTRON = """CREATE TABLE veo3_image_generations (id TEXT PRIMARY KEY, profile_id TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE, aspect_ratio TEXT, workflow_id TEXT NOT NULL, media_key TEXT NOT NULL,
    local_path TEXT, fife_url TEXT, created_at TEXT NOT NULL)"""
OURS = "name NOT LIKE 'sqlite_%' AND name != 'schema_migration'"


def ask(path, query, *values):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


def made(path, script):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def tables_of(path):
    return [name for (name,) in ask(path, f"SELECT name FROM sqlite_master WHERE type = 'table' AND {OURS}")]


def schema_of(path):
    """Columns, foreign keys and indexes of every table, independent of how their SQL is spelled."""
    schema = {}
    for table in tables_of(path):
        indexes = ask(path, f"SELECT name, \"unique\", partial FROM pragma_index_list('{table}')")
        schema[table] = {
            "columns": sorted(row[1:] for row in ask(path, f"PRAGMA table_xinfo('{table}')")),
            "references": sorted(ask(path, f"SELECT * FROM pragma_foreign_key_list('{table}')")),
            "indexes": sorted((index, columns_of_index(path, index[0])) for index in indexes),
        }
    rest = ask(path, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' OR sql LIKE '% WHERE %'")
    return schema, sorted((name, " ".join(sql.replace('"', "").split())) for name, sql in rest)


def columns_of_index(path, index):
    """The columns by name, because one that a migration added has another position."""
    return [(name, *rest) for _, _, name, *rest in ask(path, f"PRAGMA index_xinfo('{index}')")]


@pytest.fixture
def first_release(tmp_path):
    """A database of the first release with a row in every table, whose values name their columns."""
    path = made(tmp_path / "flowshelf.sqlite3", FIRST_RELEASE)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in tables_of(path):
            references = connection.execute(f"PRAGMA foreign_key_list('{table}')").fetchall()
            targets = {column: f"{other}.{key}" for _, _, other, column, key, *_ in references}
            columns = connection.execute(f"PRAGMA table_info('{table}')").fetchall()
            row = [
                7 if kind == "INTEGER" else targets.get(name, f"{table}.{name}")
                for _, name, kind, *_ in columns
            ]
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.execute("PRAGMA journal_mode = wal")
    return path


def rows_of(path, columns):
    return {table: ask(path, f"SELECT {', '.join(names)} FROM {table}") for table, names in columns.items()}


def columns_of(path):
    return {
        table: [name for _, name, *_ in ask(path, f"PRAGMA table_info('{table}')")]
        for table in tables_of(path)
    }


def renamed(columns):
    """The columns of the first release by their present names."""
    names = {(table, before): after for table, before, after in RENAMED}
    return {table: [names.get((table, name), name) for name in listed] for table, listed in columns.items()}


def test_a_database_of_the_first_release_keeps_every_row_and_gets_the_schema_of_a_new_one(
    first_release, tmp_path
):
    columns = columns_of(first_release)
    columns["run"].remove("pause_asked_at")  # a later version removed it
    before = rows_of(first_release, columns)
    store.open_database(first_release)
    assert all(len(rows) == 1 for rows in before.values())
    assert rows_of(first_release, renamed(columns)) == before
    assert ask(first_release, "PRAGMA foreign_key_check") == []
    store.open_database(tmp_path / "new.sqlite3")
    assert schema_of(first_release) == schema_of(tmp_path / "new.sqlite3")
    for path in (first_release, tmp_path / "new.sqlite3"):
        assert ask(path, "PRAGMA user_version") == [(database.latest_version(),)]
        database.check(path)


def test_the_text_index_and_the_counts_are_rebuilt_by_a_migration(first_release):
    made(first_release, "UPDATE veo3_image_generations SET hidden_at = NULL, prompt = 'a red kite'")
    store.open_database(first_release)
    with store.connection():
        assert counts.count_profile(None).total == 1
        assert counts.count_all(Filter(text="kite")).total == 1


def test_the_migrations_are_numbered_without_gaps_from_two():
    numbers = sorted(int(step.name[:4]) for step in FOLDER.glob("[0-9]*.py"))
    assert numbers == list(range(2, 2 + len(numbers)))


LATEST = database.latest_version()


@pytest.fixture
def steps(tmp_path):
    """The migrations of a future Flowshelf: two more than there are."""
    folder = shutil.copytree(FOLDER, tmp_path / "steps")
    (folder / f"{LATEST + 1:04}_add_colour.py").write_text(
        "from peewee import TextField\n\n\ndef up(migrator, db):\n"
        "    migrator.migrate(migrator.add_column('run', 'colour', TextField(default='red')))\n"
    )
    (folder / f"{LATEST + 2:04}_events.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE event (id INTEGER PRIMARY KEY)')\n"
    )
    return folder


def test_each_migration_runs_once_and_a_copy_without_cookies_is_saved_first(
    first_release, steps, tmp_path, caplog
):
    store.open_database(first_release, steps=steps)
    assert ask(first_release, "SELECT id, colour FROM run") == [("run.id", "red")]
    assert ask(first_release, "PRAGMA user_version") == [(LATEST + 2,)]
    assert ask(first_release, "SELECT count(*) FROM secret") == [(1,)]
    assert ask(first_release, "SELECT image_count FROM image_tally") == []  # its one image is hidden
    # The events that follow from its columns, and none caused by the migration itself.
    kinds = ask(first_release, "SELECT kind FROM image_event ORDER BY kind")
    assert kinds == [("damaged",), ("downloaded",), ("gone",), ("hidden",)]
    store.open_database(first_release, steps=steps)
    (backup,) = tmp_path.glob("flowshelf-before-*.bak")
    assert [record.getMessage() for record in caplog.records if str(backup) in record.getMessage()]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert ask(backup, "PRAGMA user_version") == [(1,)]
    assert ask(backup, "SELECT id FROM run") == [("run.id",)]
    assert b"secret.value" not in backup.read_bytes()
    assert schema_of(backup) == schema_of(made(tmp_path / "v1", FIRST_RELEASE))


def test_a_number_that_a_killed_update_could_not_store_is_stored_at_the_next_start(first_release):
    store.open_database(first_release)
    with store.connection():
        db.pragma("user_version", LATEST - 1)
    store.open_database(first_release)
    assert ask(first_release, "PRAGMA user_version") == [(LATEST,)]


def test_a_migration_that_fails_changes_nothing_and_is_tried_again(first_release, steps):
    broken = steps / f"{LATEST + 2:04}_events.py"
    text = broken.read_text()
    broken.write_text(text + "    db.execute_sql('INSERT INTO nowhere VALUES (1)')\n")
    with pytest.raises(Exception, match="nowhere"):
        store.open_database(first_release, steps=steps)
    assert ask(first_release, "PRAGMA user_version") == [(LATEST + 1,)]
    assert "event" not in tables_of(first_release)
    broken.write_text(text)
    store.open_database(first_release, steps=steps)
    assert "event" in tables_of(first_release)


def snapshot(folder):
    return {
        path.name: (path.read_bytes(), path.stat().st_mode) for path in folder.iterdir() if path.is_file()
    }


def test_a_database_of_a_later_version_is_refused_and_not_changed(first_release, steps, tmp_path):
    store.open_database(first_release, steps=steps)
    first_release.chmod(0o640)
    before = snapshot(tmp_path)
    with pytest.raises(NewerDatabase, match=rf"version {LATEST + 2}, .* Nothing was changed"):
        store.open_database(first_release)
    assert snapshot(tmp_path) == before
    done = CliRunner().invoke(main, ["profiles", "--data-dir", str(tmp_path)])
    assert (done.exit_code, "written by a newer Flowshelf" in done.output) == (1, True)
    assert first_release.read_bytes() == before[first_release.name][0]


@pytest.mark.parametrize(
    ("script", "sentence"),
    [(ELECTRON, "flowshelf import FILE"), ("CREATE TABLE places (id TEXT)", "another program")],
)
def test_a_database_of_another_program_is_refused_and_not_changed(tmp_path, script, sentence):
    path = made(tmp_path / "flowshelf.sqlite3", script)
    before = snapshot(tmp_path)
    with pytest.raises(BadDatabase, match=sentence):
        store.open_database(path)
    assert snapshot(tmp_path) == before


def test_a_database_that_lacks_a_column_of_its_version_is_refused_and_not_changed(tmp_path):
    path = made(tmp_path / "flowshelf.sqlite3", FIRST_RELEASE)
    store.open_database(path)
    made(path, "ALTER TABLE run RENAME COLUMN note TO notes")
    before = snapshot(tmp_path)
    with pytest.raises(BadDatabase, match=r"lacks run\.note: no released Flowshelf"):
        store.open_database(path)
    assert snapshot(tmp_path) == before


def test_a_file_that_is_not_a_database_is_refused(tmp_path):
    (tmp_path / "flowshelf.sqlite3").write_bytes(b"something else altogether " * 100)
    with pytest.raises(BadDatabase, match="restore a backup"):
        store.open_database(tmp_path / "flowshelf.sqlite3")


# Copies


def test_a_copy_is_consistent_while_others_write(tmp_path):
    """Two rows are always written together, so no copy may contain one without the other."""
    path = tmp_path / "flowshelf.sqlite3"
    store.open_database(path)
    ended = threading.Event()

    def write():
        number = 0
        while not ended.is_set():
            with store.connection(), store.transaction():
                for side in "ab":
                    db.execute_sql(
                        "INSERT INTO profile (id, name, health, cookie_names, created_at, is_unchecked, way, "
                        "renewal) VALUES (?, '', '', '', '', 0, '', '')",
                        (f"{number}{side}",),
                    )
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = []
        for number in range(8):
            database.copy_database(path, tmp_path / f"{number}.copy")
            counts += ask(tmp_path / f"{number}.copy", "SELECT count(*) FROM profile")[0]
    finally:
        ended.set()
        writer.join()
    assert [count % 2 for count in counts] == [0] * 8
    assert counts[0] < counts[-1]


def test_a_copy_contains_secrets_only_on_request(running, config, world, tmp_path):
    path, work = config.database_path, background_of(running())
    with store.connection():
        profile = work.accounts.add("Ada", world.cookie_header())
        profiles.set_key(profile.id, world.key)
    values = [value.encode() for value in (*world.cookies().values(), world.key)]
    database.copy_database(path, tmp_path / "a")
    database.copy_database(path, tmp_path / "b", with_secrets=True)
    assert not [value for value in values if value in (tmp_path / "a").read_bytes()]
    assert [value for value in values if value in (tmp_path / "b").read_bytes()] == values
    assert schema_of(tmp_path / "a") == schema_of(tmp_path / "b") == schema_of(path)
    (tmp_path / "restored").mkdir()
    (tmp_path / "a").rename(tmp_path / "restored" / path.name)
    answer = running(data_dir=tmp_path / "restored").test_client().get("/api/profiles")
    assert [row["profileId"] for row in answer.get_json()["data"]] == [profile.id]


def test_a_copy_keeps_full_text_indexes_and_triggers(tmp_path):
    path = made(
        tmp_path / "flowshelf.sqlite3",
        """CREATE TABLE said (id INTEGER PRIMARY KEY, words TEXT);
        CREATE TABLE heard (id INTEGER PRIMARY KEY);
        CREATE VIRTUAL TABLE said_text USING fts5 (words, tokenize = 'trigram');
        CREATE TRIGGER hear AFTER INSERT ON said BEGIN INSERT INTO heard VALUES (new.id);
            INSERT INTO said_text (rowid, words) VALUES (new.id, new.words); END;
        INSERT INTO said (words) VALUES ('a red kite'), ('a blue house');
        CREATE TABLE named (id TEXT PRIMARY KEY);
        INSERT INTO named VALUES ('a'), ('b'), ('c'); DELETE FROM named WHERE id = 'a';""",
    )
    database.copy_database(path, tmp_path / "copy")
    made(tmp_path / "copy", "INSERT INTO said (words) VALUES ('a red fox')")
    assert ask(tmp_path / "copy", "SELECT rowid FROM said_text WHERE words MATCH 'red'") == [(1,), (3,)]
    assert ask(tmp_path / "copy", "SELECT rowid, id FROM named") == [(2, "b"), (3, "c")]
    assert ask(tmp_path / "copy", "SELECT id FROM heard") == [(1,), (2,), (3,)]
    assert ask(tmp_path / "copy", "PRAGMA integrity_check") == [("ok",)]


def test_a_copy_keeps_the_sequences_of_autoincrement(tmp_path):
    path = made(tmp_path / "flowshelf.sqlite3", FIRST_RELEASE)
    made(path, "INSERT INTO sqlite_sequence VALUES ('walk', 41)")
    database.copy_database(path, tmp_path / "copy")
    assert ask(tmp_path / "copy", "SELECT name, seq FROM sqlite_sequence") == [("walk", 41)]


# Statistics, modes and journals


def test_storing_an_image_takes_as_many_steps_with_outdated_statistics(tmp_path):
    store.open_database(tmp_path / "flowshelf.sqlite3")
    columns = "id, profile_id, name, workflow_id, media_key, created_at, prompt"
    insert = f"INSERT INTO veo3_image_generations ({columns}) VALUES (?, 'p', ?, 'w', 'k', 't', ?)"

    def steps_of_storing(numbers):
        counted = []
        db.connection().set_progress_handler(lambda: counted.append(1) and None, 100)
        for page in range(numbers.start, numbers.stop, 20):
            with store.transaction():
                rows = [(f"id{n}", f"name{n}", f"a red kite, number {n}") for n in range(page, page + 20)]
                db.connection().executemany(insert, rows)
        db.connection().set_progress_handler(None, 0)
        return len(counted)

    with store.connection():
        first = steps_of_storing(range(1_000))
        steps_of_storing(range(1_000, 5_000))
        last = steps_of_storing(range(5_000, 6_000))
    assert last < 1.2 * first


def test_the_text_index_of_an_earlier_database_is_merged_like_that_of_a_new_one(tmp_path):
    def merged_at() -> int:
        (row,) = db.execute_sql("SELECT v FROM image_text_config WHERE k = 'automerge'").fetchall()
        return row[0]

    path = tmp_path / "flowshelf.sqlite3"
    store.open_database(path)
    with store.connection():
        new = merged_at()
        db.execute_sql("INSERT INTO image_text (image_text, rank) VALUES ('automerge', 4)")
        assert merged_at() == 4
    store.open_database(path)
    with store.connection():
        assert merged_at() == new == 8


def test_only_the_owner_can_read_the_files_of_sqlite_also_those_of_a_killed_process(tmp_path):
    path = tmp_path / "flowshelf.sqlite3"
    store.open_database(path)
    with store.connection():
        db.execute_sql("DELETE FROM run")
        files = sorted(tmp_path.glob("flowshelf*"))
        assert [file.name for file in files] == [path.name, f"{path.name}-shm", f"{path.name}-wal"]
        for file in files:
            file.chmod(0o644)
        killed = sqlite3.connect(path)
        killed.execute("PRAGMA user_version").fetchone()
    store.open_database(path)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    killed.close()


def test_on_a_network_share_another_journal_is_used_and_logged(running, config, world, tmp_path, caplog):
    app = running()
    assert ask(config.database_path, "PRAGMA journal_mode") == [("wal",)]
    mounts = tmp_path / "mounts"
    place = str(tmp_path).replace(" ", "\\040")
    mounts.write_text(
        f"/dev/sda1 / ext4 rw 0 0\nnas:/home {place} nfs4 rw 0 0\ntmpfs {place}/x tmpfs rw 0 0\n"
    )
    app = running(mounts_path=mounts)
    assert ask(config.database_path, "PRAGMA journal_mode") == [("delete",)]
    assert "network share (nfs4)" in caplog.text
    with store.connection():
        work = background_of(app)
        profile = work.accounts.add("Ada", world.cookie_header())
        work.syncs.wait(work.syncs.start(profile.id).id)
        run = work.downloads.request_pending(profile.id)
        assert work.downloads.wait_for_run(run.id).done_count == 70
    assert not list(config.data_dir.glob("*-wal"))


# `flowshelf backup`


@pytest.fixture
def backup(config, monkeypatch):
    """Runs `flowshelf backup` in this process; returns the exit code and the output."""
    monkeypatch.setenv("FLOWSHELF_DATA_DIR", str(config.data_dir))

    def run(*arguments):
        done = CliRunner().invoke(main, ["backup", *map(str, arguments)])
        return done.exit_code, done.output

    return run


def test_a_backup_is_made_while_the_server_works_and_only_replaces_a_file_with_force(
    backup, client, profile_id, world, flow, config, tmp_path
):
    file = tmp_path / "copy.sqlite3"
    with flow.holding("history", at=2) as gate:
        body = {"profileId": profile_id, "wait": False}
        client.post("/api/image-veo3/sync-metadata", json=body)
        assert gate.reached.wait(5)
        code, output = backup(file)
        gate.release()
    assert (code, "without cookies" in output) == (0, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ask(file, "SELECT count(*) FROM veo3_image_generations") == [(18,)]
    before = file.read_bytes()
    code, output = backup(file)
    assert (code, "--force" in output, file.read_bytes() == before) == (1, True, True)
    code, output = backup(file, "--force", "--with-cookies")
    assert (code, "keep it to yourself" in output) == (0, True)
    assert ask(file, "SELECT count(*) FROM secret") == [(1,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.sqlite3", "data"]


@pytest.mark.parametrize("name", ["flowshelf.sqlite3", "flowshelf.sqlite3-wal"])
def test_a_backup_never_overwrites_the_database(backup, client, config, name):
    code, output = backup(config.data_dir / name, "--force")
    assert (code, "is the database itself" in output) == (1, True)
    assert client.get("/api/profiles").status_code == 200


def test_a_backup_onto_a_full_disk_names_the_disk_and_leaves_nothing(backup, client, tiny_disk):
    (tiny_disk / "ballast").write_bytes(b"x" * 150_000)
    code, output = backup(tiny_disk / "copy")
    assert (code, f"The disk that holds {tiny_disk} is full" in output) == (1, True)
    assert [path.name for path in tiny_disk.iterdir()] == ["ballast"]


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(backup, client, tmp_path):
    code, output = backup(tmp_path / "nowhere" / "copy")
    assert (code, "cannot be written to" in output) == (1, True)
    assert backup(tmp_path, "--json")[0] != 0
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_connections_are_kept_only_while_the_database_is_the_same_file(tmp_path):
    """What is written to the file that was there before would be lost."""
    path = tmp_path / "flowshelf.sqlite3"
    store.open_database(path)
    store.keep_open(path)
    with store.connection():
        kept = db.connection()
        db.execute_sql("CREATE TABLE first (a)")
    with store.connection():
        assert db.connection() is kept
    path.rename(tmp_path / "moved.sqlite3")
    with pytest.raises(OperationalError), store.connection():
        pass
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE second (a)")
    other.close()
    with store.connection():
        assert db.connection() is not kept
        assert db.get_tables() == ["second"]
    store.close_kept()


def test_a_kept_connection_comes_back_without_a_transaction_and_without_the_settings_of_a_sync(tmp_path):
    path = tmp_path / "flowshelf.sqlite3"
    store.open_database(path)
    store.keep_open(path)
    with store.connection_for_pages():
        assert db.pragma("wal_autocheckpoint") == 4000
    with store.connection():
        assert db.pragma("wal_autocheckpoint") == 1000
        db.connection().execute("BEGIN IMMEDIATE")
    with store.connection():
        assert not db.connection().in_transaction
    store.close_kept()
    assert list(tmp_path.iterdir()) == [path]
