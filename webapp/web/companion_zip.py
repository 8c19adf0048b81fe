"""The companion as a ZIP: the files of `static/companion` with two URLs filled in: Flowshelf and Flow."""

import io
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

FOLDER = "flowshelf-companion"
# The same files give the same bytes, so that a browser need not be told that a download has changed.
_MADE_AT = (2026, 1, 1, 0, 0, 0)


def companion_zip(source: Path, dashboard_url: str, flow_url: str, version: str) -> bytes:
    """The bytes of the ZIP. `dashboard_url` is the URL of the start page as the browser sees it."""
    made = {
        "manifest.json": _manifest(
            (source / "manifest.json").read_text("utf-8"), dashboard_url, flow_url, version
        ),
        "addresses.js": _addresses(dashboard_url, flow_url),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in source.iterdir() if path.is_file()):
            content = made[path.name].encode() if path.name in made else path.read_bytes()
            entry = zipfile.ZipInfo(f"{FOLDER}/{path.name}", _MADE_AT)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _manifest(template: str, dashboard_url: str, flow_url: str, version: str) -> str:
    manifest = json.loads(template)
    manifest["version"] = _manifest_version(version)
    manifest["host_permissions"] = list(dict.fromkeys(map(_pattern, (flow_url, dashboard_url))))
    policy = manifest["content_security_policy"]
    policy["extension_pages"] = (
        policy["extension_pages"]
        .replace("FLOW", _origin(flow_url))
        .replace("DASHBOARD", _origin(dashboard_url))
    )
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def _addresses(dashboard_url: str, flow_url: str) -> str:
    # JSON text is JavaScript text too.
    flow, dashboard = (json.dumps(url.rstrip("/")) for url in (flow_url, dashboard_url))
    return f"export const FLOW = {flow};\nexport const DASHBOARD = {dashboard};\n"


def _manifest_version(version: str) -> str:
    """Up to four numbers: browsers take no other versions of an extension."""
    return ".".join(re.findall(r"\d+", version.partition("+")[0])[:4])


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _pattern(url: str) -> str:
    """The pattern of a permission. It takes no port, so the extension compares the whole origin itself."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}/*"
