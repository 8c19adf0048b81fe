"""Puts htmx under static/ while the package is built, so that no copy of it is kept in git.

It comes out of the build requirement django-htmx, whose package data can be read without Django.
Nothing of django-htmx is needed when Flowshelf runs.
"""

import base64
import hashlib
from importlib import metadata
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# htmx 2.0.10; flask-htmx 0.4 reads its headers, which htmx 4 renames.
HTMX_SHA384 = "H5SrcfygHmAuTDZphMHqBJLc3FhssKjG7w/CeCpFReSfwBWDTKpkzPP8c+cLsK+V"
HTMX_PATH = Path("static", "vendor", "htmx.min.js")


class CustomBuildHook(BuildHookInterface):
    """Hatchling calls `initialize` before it collects files, for wheels, editable installs and sdists."""

    def initialize(self, version, build_data):
        vendor_htmx(Path(self.root) / HTMX_PATH)


def vendor_htmx(target: Path) -> None:
    """Write htmx to `target`; a right copy is left alone, so that an sdist carries its own."""
    if target.is_file() and sha384(target.read_bytes()) == HTMX_SHA384:
        return
    script = packaged_htmx().read_bytes()
    if sha384(script) != HTMX_SHA384:
        raise SystemExit(
            "The htmx-2.min.js of django-htmx is not htmx 2.0.10 as Flowshelf knows it: not built."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(script)


def packaged_htmx() -> Path:
    """The file in the installed django-htmx, found by its list of files."""
    try:
        files = metadata.files("django-htmx") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "htmx-2.min.js":
            return Path(file.locate())
    raise SystemExit(
        "Building Flowshelf needs django-htmx 1.29.0, which carries htmx: it is not installed here."
    )


def sha384(content: bytes) -> str:
    """The digest in the form that browsers use for subresource integrity."""
    return base64.b64encode(hashlib.sha384(content).digest()).decode()
