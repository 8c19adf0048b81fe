"""The wheel: built from a clean tree, installed into an empty venv, and served from another folder."""

import base64
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
import venv
import zipfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from bs4 import BeautifulSoup

pytestmark = pytest.mark.proof

REPOSITORY = Path(__file__).parents[1]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
HTMX = "webapp/static/vendor/htmx.min.js"
HTMX_SHA384 = "H5SrcfygHmAuTDZphMHqBJLc3FhssKjG7w/CeCpFReSfwBWDTKpkzPP8c+cLsK+V"


def run(*command):
    """The output of a command that must succeed; when it fails, the failure shows it."""
    done = run_any(*command)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def run_any(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def make_venv(folder, *requirements):
    """A venv with these packages; returns the command of a pip that works on it.

    It has no pip of its own, which would take seconds to install.
    """
    venv.create(folder, symlinks=True)
    run(*PIP, "--python", folder, "install", "--no-compile", *requirements)
    return [*PIP, "--python", folder]


def tree_files():
    """What a clone would hold if everything were committed: no file that git ignores, so nothing built."""
    listed = run("git", "-C", REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [Path(name) for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]


@pytest.fixture(scope="module")
def clean_tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    for file in tree_files():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / file, root / file)
    return root


@pytest.fixture(scope="module")
def build(clean_tree, tmp_path_factory):
    """The pip command that builds a wheel, with the build requirements installed once for all tests."""
    requires = tomllib.loads((clean_tree / "pyproject.toml").read_text())["build-system"]["requires"]
    return [
        *make_venv(tmp_path_factory.mktemp("build"), *requires),
        "wheel",
        "--no-deps",
        "--no-build-isolation",
    ]


@pytest.fixture(scope="module")
def wheel(build, clean_tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(*build, "--wheel-dir", folder, clean_tree)
    return next(folder.glob("flowshelf-*.whl"))


@pytest.fixture(scope="module")
def wheel_names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def flowshelf(wheel, tmp_path_factory):
    """The `flowshelf` command of the wheel, installed with its dependencies and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    make_venv(folder, wheel)
    return folder / "bin" / "flowshelf"


@contextmanager
def serving(command, folder):
    """Start the dashboard in `folder`; yields the process and the URL that it prints."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("FLOWSHELF_", "PYTHON"))
    }
    with (
        (folder / "errors.txt").open("w+") as errors,
        subprocess.Popen(
            [command, "serve", "--port", "0", "--data-dir", folder / "shelf"],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield process, printed_url(process) or pytest.fail(f"No URL was printed.\n{read_again(errors)}")
        finally:
            process.kill()


def printed_url(process):
    """The first URL in its output; None when the process ends or prints none for 15 seconds."""
    too_late = threading.Timer(15, process.kill)
    too_late.start()
    try:
        found = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stdout)
        return next((match[0] for match in found if match), None)
    finally:
        too_late.cancel()


def read_again(file):
    file.seek(0)
    return file.read()


def assets_of(page):
    """The paths on our own server that a page makes the browser fetch."""
    tags = BeautifulSoup(page, "html.parser").select("link[href], script[src], img[src]")
    urls = {tag.get("href") or tag.get("src") for tag in tags}
    return {url for url in urls if url.startswith("/")}


def test_the_wheel_contains_every_file_of_the_package(wheel_names):
    parents = {"webapp": Path(), "templates": Path("webapp"), "static": Path("webapp")}
    expected = {str(parents[file.parts[0]] / file) for file in tree_files() if file.parts[0] in parents}
    assert expected - wheel_names == set()
    for folder in ("webapp/templates/", "webapp/static/"):
        assert any(name.startswith(folder) for name in expected), f"nothing under {folder}"


def test_the_wheel_contains_no_other_top_level_package(wheel_names):
    tops = {name.partition("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"webapp"}


def test_the_wheel_contains_the_known_htmx(wheel):
    with zipfile.ZipFile(wheel) as archive:
        digest = hashlib.sha384(archive.read(HTMX)).digest()
    assert base64.b64encode(digest).decode() == HTMX_SHA384


def test_a_build_refuses_an_unknown_htmx(build, clean_tree, tmp_path):
    tree = shutil.copytree(clean_tree, tmp_path / "tree", ignore=shutil.ignore_patterns("vendor"))
    hook = tree / "hatch_build.py"
    hook.write_text(hook.read_text().replace(HTMX_SHA384, "another"))
    built = run_any(*build, "--wheel-dir", tmp_path, tree)
    assert built.returncode != 0
    assert "not htmx 2.0.10 as Flowshelf knows it" in built.stdout + built.stderr


def test_the_installed_dashboard_serves_its_page_and_its_assets(flowshelf, tmp_path):
    with serving(flowshelf, tmp_path) as (process, url), requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(url, timeout=10)
        assert page.status_code == 200
        for asset in {"/static/app.css", "/static/vendor/htmx.min.js"} | assets_of(page.text):
            response = browser.get(urljoin(url, asset), timeout=10)
            assert (response.status_code, bool(response.content)) == (200, True), asset
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=3) == 0
