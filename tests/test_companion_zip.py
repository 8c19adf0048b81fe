"""The companion as a ZIP: what is filled in, and what its manifest allows it."""

import base64
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import pytest

from webapp.web.companion_zip import FOLDER, companion_zip

SOURCE = Path(__file__).parent.parent / "static" / "companion"
EXTENSION_ID = "jmcllanfikigfajfbdknppfbllapgpjl"
FLOW, DASHBOARD = "https://flow.google.com", "http://127.0.0.1:8765"


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def made(dashboard: str = DASHBOARD, flow: str = FLOW, version: str = "0.2.0") -> dict[str, bytes]:
    return files_of(companion_zip(SOURCE, dashboard, flow, version))


def manifest_of(files: dict[str, bytes]) -> dict:
    return json.loads(files[f"{FOLDER}/manifest.json"])


def test_it_holds_every_file_in_one_folder_and_is_the_same_each_time():
    names = {f"{FOLDER}/{path.name}" for path in SOURCE.iterdir()}
    assert set(made()) == names
    assert companion_zip(SOURCE, DASHBOARD, FLOW, "1.0") == companion_zip(SOURCE, DASHBOARD, FLOW, "1.0")


@pytest.mark.parametrize(
    ("dashboard", "pattern", "origin"),
    [
        ("http://127.0.0.1:8765", "http://127.0.0.1/*", "http://127.0.0.1:8765"),
        ("http://[::1]:8765", "http://[::1]/*", "http://[::1]:8765"),
        ("https://home.example:8443/shelf", "https://home.example/*", "https://home.example:8443"),
    ],
)
def test_it_reaches_flow_and_the_dashboard_at_its_own_url_and_nothing_else(dashboard, pattern, origin):
    files = made(dashboard)
    manifest = manifest_of(files)
    assert manifest["host_permissions"] == ["https://flow.google.com/*", pattern]
    assert manifest["permissions"] == ["storage", "alarms", "scripting"]
    policy = manifest["content_security_policy"]["extension_pages"]
    assert f"connect-src https://flow.google.com {origin};" in policy
    assert f'DASHBOARD = "{dashboard}";' in files[f"{FOLDER}/addresses.js"].decode()
    assert not {"FLOW", "DASHBOARD"} & set(re.findall(r"\w+", json.dumps(manifest)))


def test_no_page_and_no_other_extension_can_see_it_or_talk_to_it():
    manifest = manifest_of(made())
    assert manifest["externally_connectable"] == {"ids": []}
    assert not {"web_accessible_resources", "content_scripts", "optional_permissions"} & set(manifest)


def test_its_id_is_fixed_by_a_key_whose_private_half_is_nowhere():
    key = manifest_of(made())["key"]
    digest = hashlib.sha256(base64.b64decode(key)).hexdigest()[:32]
    assert "".join(chr(ord("a") + int(digit, 16)) for digit in digest) == EXTENSION_ID
    assert not any(b"PRIVATE KEY" in content for content in made().values())


@pytest.mark.parametrize(
    ("version", "shown"), [("0.2.0", "0.2.0"), ("1.4.0.dev3+g12ab", "1.4.0.3"), ("2.0rc1", "2.0.1")]
)
def test_its_version_is_that_of_flowshelf(version, shown):
    assert manifest_of(made(version=version))["version"] == shown


def test_its_scripts_load_only_each_other():
    for name, content in made().items():
        for target in re.findall(r'from "([^"]+)"', content.decode("utf-8", "ignore")):
            assert f"{FOLDER}/{target.removeprefix('./')}" in made(), (name, target)
