"""The files of a Firefox, which may be damaged, huge or hostile: a sign-in or a sentence, and never more."""

import os
import sqlite3
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from firefox_files import LATER, packed, rows_of, session_document, write_profile
from hypothesis import given
from hypothesis import strategies as st

from webapp.config import find_firefox_roots
from webapp.errors import FirefoxSignedOut
from webapp.sources.firefox import (
    FirefoxFiles,
    cookie_file,
    describe_profile,
    find_profiles,
    lz4,
    missing_sign_in,
    read_sign_in,
    read_user_agent,
    session_store,
)
from webapp.sources.firefox.bounded import NotReadable, read_bounded
from webapp.sources.firefox.profiles_ini import read_profiles_ini

COOKIES = {"SID": "g.a000sid", "__Secure-1PSIDTS": "sidts-1", "OSID": "osid", "SIDCC": "cc"}


@pytest.fixture
def profile(tmp_path):
    return write_profile(tmp_path / "firefox" / "abc.default", rows_of(COOKIES))


@pytest.fixture
def read(profile, tmp_path):
    """Reads the sign-in of the profile, and checks that no copy of it is left."""

    def read(container=None):
        work_dir = tmp_path / "copies"
        try:
            return read_sign_in(FirefoxFiles(profile, container, work_dir))
        finally:
            assert not work_dir.exists() or list(work_dir.iterdir()) == []

    return read


def failure(read):
    with pytest.raises(FirefoxSignedOut) as raised:
        read()
    assert str(raised.value).endswith(".")
    assert "g.a000sid" not in str(raised.value)
    return str(raised.value)


# Which cookies


def test_the_sign_in_is_read_by_name_and_host(profile, read):
    others = [
        ("", "SID", "of mail", "mail.google.com", LATER),
        ("", "OSID", "of mail", "mail.google.com", LATER),
        ("", "OSID", "of all", ".google.com", LATER),
        ("", "HSID", "of flow", "flow.google.com", LATER),
        ("", "SSID", "of another", ".google.com.example", LATER),
        ("", "_ga", "x", ".google.com", LATER),
        ("", "NID", "x", ".google.com", LATER),
        ("", "LSID", "x", ".google.com", LATER),
    ]
    write_profile(profile, [*rows_of(COOKIES), *others])
    assert read().cookies == COOKIES


@pytest.mark.parametrize(
    "attributes",
    [
        "^userContextId=2",
        "^partitionKey=%28https%2Cgoogle.com%29",
        "^firstPartyDomain=google.com",
        "^privateBrowsingId=1",
        "^userContextId=2&partitionKey=%28https%2Cgoogle.com%29",
        "^userContextId=22",
    ],
)
def test_cookies_of_containers_partitions_and_private_windows_are_not_those_of_the_profile(
    profile, read, attributes
):
    write_profile(profile, rows_of(COOKIES, attributes))
    assert read().cookies == {}
    assert read(2).cookies == (COOKIES if attributes == "^userContextId=2" else {})


@pytest.mark.parametrize("version", [9, 15, 16, 17, 99])
def test_expired_cookies_are_left_out_in_the_unit_of_every_version(profile, read, version):
    expired = rows_of({"HSID": "x"}, expiry=1_600_000_000)
    write_profile(profile, [*rows_of(COOKIES), *expired], version=version)
    assert read().cookies == COOKIES


def test_impossible_values_and_times_are_left_out_or_kept_without_a_failure(profile, read):
    rows = rows_of({"SSID": "a;b", "APISID": "x\r\ny", "SAPISID": "z" * 5000, "HSID": "ä"})
    write_profile(profile, [*rows_of(COOKIES, expiry=2**50), *rows])
    assert read().cookies == COOKIES


def test_rows_of_other_types_are_passed_by(profile, read):
    with closing(sqlite3.connect(profile / "cookies.sqlite")) as connection:
        connection.execute(
            "INSERT INTO moz_cookies (name, value, host, path, expiry) "
            "VALUES (x'ff', 7, '.google.com', '/', 'x')"
        )
        connection.execute("UPDATE moz_cookies SET expiry = 'soon' WHERE name = 'SID'")
        connection.commit()
    assert read().cookies == COOKIES


def test_a_sign_in_that_has_not_opened_flow_yet_is_named(profile, read):
    assert missing_sign_in(read()) == ""
    write_profile(profile, rows_of({"SID": "x"}))
    assert "has not opened Flow yet" in missing_sign_in(read())
    write_profile(profile, rows_of({"NID": "x"}))
    assert "not signed in to Google" in missing_sign_in(read())


def test_two_sign_ins_differ_and_a_rotation_does_not(profile, read):
    before = read()
    write_profile(profile, rows_of(COOKIES | {"SIDCC": "new"}))
    assert (read().session, read().fingerprint) == (before.session, before.fingerprint)
    write_profile(profile, rows_of(COOKIES | {"__Secure-1PSIDTS": "sidts-2"}))
    assert read().session == before.session
    assert read().fingerprint != before.fingerprint
    write_profile(profile, rows_of(COOKIES | {"SID": "g.a000other"}))
    assert read().session != before.session
    assert "g.a000" not in repr(read())


# The file


def test_what_stands_only_in_the_log_is_read_while_another_program_writes(profile, read):
    """As with a running Firefox: its connection stays open and locks the file."""
    with closing(sqlite3.connect(profile / "cookies.sqlite", isolation_level=None)) as firefox:
        firefox.execute("PRAGMA locking_mode = EXCLUSIVE")
        firefox.execute("PRAGMA journal_mode = WAL")
        firefox.execute("UPDATE moz_cookies SET value = 'newest' WHERE name = 'SID'")
        assert (profile / "cookies.sqlite-wal").stat().st_size > 0
        names = sorted(path.name for path in profile.iterdir())
        assert read().cookies["SID"] == "newest"
        assert sorted(path.name for path in profile.iterdir()) == names, "nothing is written next to it"


def test_a_file_that_changed_while_it_was_copied_is_copied_once_more(profile, read, monkeypatch):
    path, copy, copied = profile / "cookies.sqlite", cookie_file.copy_bounded, []
    path.write_bytes(path.read_bytes()[:5000])  # half of it is written at this moment

    def copy_and_write(source, target, max_bytes):
        copy(source, target, max_bytes)
        copied.append(source.name)
        write_profile(profile, rows_of(COOKIES | {"SID": f"after-{len(copied)}"}))

    monkeypatch.setattr(cookie_file, "copy_bounded", copy_and_write)
    assert read().cookies["SID"] == "after-1"
    assert copied == ["cookies.sqlite"] * 2, "a third time would not help against a busy Firefox"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFO")
def test_a_fifo_in_place_of_the_file_blocks_nobody(profile, read):
    for name in ("cookies.sqlite", "cookies.sqlite-wal", "containers.json", "compatibility.ini"):
        (profile / name).unlink(missing_ok=True)
        os.mkfifo(profile / name)
        assert "not a regular file" in failure(read)
    ended = threading.Thread(target=find_profiles, args=([profile.parent],), daemon=True)
    ended.start()
    ended.join(10)
    assert not ended.is_alive()


def test_a_link_in_place_of_the_file_is_not_followed(profile, read, tmp_path):
    other = write_profile(tmp_path / "other", rows_of({"SID": "of somebody else"}))
    (profile / "cookies.sqlite").unlink()
    (profile / "cookies.sqlite").symlink_to(other / "cookies.sqlite")
    assert "not a regular file" in failure(read)
    (profile / "cookies.sqlite").unlink()
    (profile / "cookies.sqlite").symlink_to("/dev/zero")
    assert "not a regular file" in failure(read)


def test_a_folder_or_nothing_in_place_of_the_file_is_a_sentence(profile, read):
    (profile / "cookies.sqlite").unlink()
    assert "cannot be opened" in failure(read)
    (profile / "cookies.sqlite").mkdir()
    assert "not a regular file" in failure(read)


def test_a_huge_file_is_refused_before_it_is_copied(profile, read):
    with open(profile / "cookies.sqlite", "r+b") as file:
        file.truncate(cookie_file.MAX_FILE_BYTES + 1)
    assert "too large" in failure(read)


@pytest.mark.parametrize("content", [b"", b"x" * 5000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_a_sentence(profile, read, content):
    (profile / "cookies.sqlite").write_bytes(content)
    assert "damaged or of an unknown form" in failure(read)


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE moz_cookies (name, value, host, path, expiry)",
        "CREATE TABLE cookies (name)",
        "CREATE VIEW moz_cookies AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT 'SID' name, '' value, '.google.com' host, '' originAttributes, 0 expiry, "
        "CASE WHEN i < 0 THEN '/' ELSE 'x' END path FROM n",
        "CREATE VIEW moz_cookies AS SELECT 'SID' name, hex(zeroblob(900000000)) value, '.google.com' host, "
        "'' originAttributes, '/' path, 0 expiry",
        "CREATE VIEW moz_cookies AS SELECT 'SID' name, load_extension('/tmp/x') value, '.google.com' host, "
        "'' originAttributes, '/' path, 0 expiry",
    ],
)
def test_a_file_with_another_schema_takes_neither_time_nor_memory(profile, read, monkeypatch, schema):
    monkeypatch.setattr(cookie_file, "MAX_READ_SECONDS", 0.2)
    (profile / "cookies.sqlite").unlink()
    with closing(sqlite3.connect(profile / "cookies.sqlite")) as connection:
        connection.execute(schema)
    assert "damaged or of an unknown form" in failure(read)


def test_more_rows_than_google_sets_are_not_read(profile, read):
    write_profile(profile, [(f"x{n}", "SID", "x", ".google.com", LATER) for n in range(3)])
    rows = [("", f"A{number}", "x", ".google.com", LATER) for number in range(5000)]
    write_profile(profile, rows)
    assert read().cookies == {}


@given(st.data())
def test_a_damaged_file_gives_a_sign_in_or_a_sentence(tmp_path_factory, data):
    folder = write_profile(tmp_path_factory.mktemp("damaged") / "a.b", rows_of(COOKIES), containers=False)
    content = bytearray((folder / "cookies.sqlite").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "cookies.sqlite").write_bytes(content)
    with suppress(FirefoxSignedOut):
        assert set(read_sign_in(FirefoxFiles(folder, None, folder / "copies")).cookies) <= set(COOKIES)


def test_a_full_disk_for_the_copy_is_a_sentence(profile, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FirefoxSignedOut, match="a copy of it cannot be written"):
        read_sign_in(FirefoxFiles(profile, None, tmp_path / "file" / "copies"))


# Session cookies


def session(profile, cookies, **attributes):
    """Write the session store of a Firefox that runs."""
    folder = profile / "sessionstore-backups"
    folder.mkdir(exist_ok=True)
    (folder / "recovery.jsonlz4").write_bytes(packed(session_document(cookies, **attributes)))


def test_a_session_cookie_stands_in_for_a_missing_name_only(profile, read):
    session(profile, {"SID": "older", "HSID": "session", "_ga": "x"})
    assert read().cookies == COOKIES | {"HSID": "session"}


def test_session_cookies_of_other_containers_are_left_out(profile, read):
    session(profile, {"HSID": "session"}, userContextId=2)
    assert read().cookies == COOKIES
    assert read(2).cookies == {"HSID": "session"}
    session(profile, {"HSID": "session"}, partitionKey="(https,google.com)")
    assert read().cookies == COOKIES


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"mozLz40\x00",
        b"mozLz40\x00\xff\xff\xff\xff\x00",
        packed(b"{"),
        packed(b"[" * 100_000),
        packed(b'{"cookies": {"SID": 1}}'),
        packed(b'{"cookies": [1, null, {"name": 1, "value": 2, "host": 3}, {"originAttributes": 4}]}'),
        packed(b"\xff\xfe"),
        b"x" * 100,
    ],
)
def test_a_damaged_session_store_is_passed_by(profile, read, content):
    (profile / "sessionstore-backups").mkdir()
    (profile / "sessionstore-backups" / "recovery.jsonlz4").write_bytes(content)
    assert read().cookies == COOKIES


def test_a_session_store_that_would_unpack_to_gigabytes_takes_no_memory(profile, read):
    block = b"\x1fA\x01\x00" + b"\xff" * 1_000_000
    size = session_store.MAX_TEXT_BYTES
    (profile / "sessionstore.jsonlz4").write_bytes(b"mozLz40\x00" + size.to_bytes(4, "little") + block)
    assert read().cookies == COOKIES


# LZ4


def test_a_block_with_matches_is_decoded():
    """Literal "ab", then a match of 8 from 2 back, which overlaps itself; then the last literal."""
    assert lz4.decode_block(b"\x24ab\x02\x00\x10c", 11) == b"ababababab" + b"c"
    long = b"\x1fA\x01\x00" + b"\xff" * 3 + b"\x05" + b"\x00"
    assert lz4.decode_block(long, 1 + 4 + 15 + 3 * 255 + 5) == b"A" * 790


@given(st.binary(max_size=2000))
def test_what_is_packed_without_matches_is_unpacked(text):
    assert lz4.decode_file(packed(text), 2000) == text


@given(st.binary(max_size=300), st.integers(0, 5000))
def test_any_bytes_are_decoded_to_the_size_or_damaged(block, size):
    with suppress(lz4.Damaged):
        assert len(lz4.decode_block(block, size)) == size


@given(st.binary(min_size=30, max_size=300), st.data())
def test_a_damaged_file_is_decoded_or_damaged(text, data):
    content = bytearray(packed(text))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(lz4.Damaged):
        assert len(lz4.decode_file(cut, 1000)) <= 1000


# Profiles and containers


def test_profiles_are_found_wherever_they_are_named_the_last_used_one_first(tmp_path):
    root, elsewhere = tmp_path / "firefox", tmp_path / "elsewhere"
    folders = [root / "a.default", root / "Profiles" / "b.work", elsewhere, root / "c.unlisted"]
    for age, folder in enumerate(folders):
        write_profile(folder, [])
        os.utime(folder / "cookies.sqlite", (2e9 - age, 2e9 - age))
    (root / "d.never-used").mkdir()
    (root / "profiles.ini").write_text(
        "\ufeff[Profile0]\nName=default\nIsRelative=1\nPath=a.default\nDefault=1\n"
        "[Profile1]\nName=100% mine\nIsRelative=1\nPath=Profiles/b.work\n"
        f"[Profile2]\nName=elsewhere\nIsRelative=0\nPath={elsewhere}\n"
        "[Profile3]\nName=never\nIsRelative=1\nPath=d.never-used\n"
        "[InstallABC]\nDefault=Profiles/b.work\nLocked=1\n[General]\nVersion=2\n",
        encoding="utf-8",
    )
    found = find_profiles([tmp_path / "missing", root])
    assert [one.name for one in found] == ["default", "100% mine", "elsewhere", "unlisted"]
    assert [one.is_default for one in found] == [False, True, False, False]
    assert len({one.key for one in found}) == 4
    assert all(one.key.isalnum() and len(one.key) == 12 for one in found)


def test_the_log_counts_when_profiles_are_ordered(tmp_path):
    older, newer = (write_profile(tmp_path / name, []) for name in ("a.older", "b.newer"))
    os.utime(older / "cookies.sqlite", (1.9e9, 1.9e9))
    os.utime(newer / "cookies.sqlite", (1.8e9, 1.8e9))
    (newer / "cookies.sqlite-wal").write_bytes(b"")
    os.utime(newer / "cookies.sqlite-wal", (2e9, 2e9))
    assert [one.name for one in find_profiles([tmp_path])] == ["newer", "older"]


def test_containers_that_a_person_can_open_are_named(profile):
    (found,) = find_profiles([profile.parent])
    assert [(one.id, one.name) for one in found.containers] == [
        (1, "Personal"),
        (2, "Work"),
        (6, "Ada's own"),
    ]
    assert describe_profile(profile, None) == "profile “default”"
    assert describe_profile(profile, 2) == "profile “default”, container “Work”"
    assert describe_profile(profile, 99) == "profile “default”, container “99”"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[" * 100_000, '{"identities": 3}', '{"identities": [3, {"public": true}]}']
)
def test_odd_containers_are_passed_by(profile, text):
    (profile / "containers.json").write_text(text)
    assert find_profiles([profile.parent])[0].containers == ()


@given(st.text(alphabet="[]=ProfileInstal0123\n\r DefautNameIsRv./\\:%\x00é", max_size=400))
def test_any_profiles_ini_gives_folders_without_a_failure(text):
    content = text.encode("utf-8", "surrogatepass")
    for one in read_profiles_ini(content, Path("/root of firefox")):
        assert one.folder.is_absolute()
        assert "\x00" not in str(one.folder)


@given(st.binary(max_size=400))
def test_any_bytes_as_profiles_ini_give_folders_without_a_failure(content):
    assert isinstance(read_profiles_ini(b"[Profile0]\nPath=a\n" + content, Path("/root")), list)


def test_the_user_agent_is_that_of_the_installed_version(profile):
    assert read_user_agent(profile, "linux") == (
        "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
    )
    assert "Windows NT 10.0" in read_user_agent(profile, "win32")
    assert read_user_agent(profile, "plan9") is None
    (profile / "compatibility.ini").write_text("LastVersion=\r\nX: y")
    assert read_user_agent(profile) is None


def test_firefox_is_looked_for_where_each_system_has_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    linux = [str(root.relative_to(tmp_path)) for root in find_firefox_roots("linux")]
    assert linux == [
        "settings/mozilla/firefox",
        ".mozilla/firefox",
        "snap/firefox/common/.mozilla/firefox",
        ".var/app/org.mozilla.firefox/.mozilla/firefox",
    ]
    (macos,) = find_firefox_roots("darwin")
    assert macos == tmp_path / "Library" / "Application Support" / "Firefox"
    (windows,) = find_firefox_roots("win32")
    assert windows.parts[-2:] == ("Mozilla", "Firefox")


def test_a_package_is_named(tmp_path):
    for root in ("snap/firefox/common/.mozilla/firefox", ".var/app/org.mozilla.firefox/.mozilla/firefox"):
        write_profile(tmp_path / root / "a.default", [])
    found = find_profiles(tmp_path / root for root in ("snap/firefox/common/.mozilla/firefox",))
    assert [one.package for one in found] == ["Snap"]
    flatpak = tmp_path / ".var/app/org.mozilla.firefox/.mozilla/firefox"
    assert [one.package for one in find_profiles([flatpak])] == ["Flatpak"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_profile_that_is_named_twice_is_listed_once(profile, tmp_path):
    (tmp_path / "link").symlink_to(profile.parent)
    assert len(find_profiles([profile.parent, tmp_path / "link"])) == 1


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    assert read_bounded(path, 10) == b"x" * 10
    with pytest.raises(NotReadable, match="too large"):
        read_bounded(path, 9)
