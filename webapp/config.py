"""The settings as one frozen value. No other module reads the environment."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import platformdirs

from webapp import setting_values as values
from webapp.errors import BadRequest
from webapp.file_names import DEFAULT_TEMPLATE, checked_place, checked_template
from webapp.outgoing import (
    InvalidSecret,
    NotifyCommand,
    NotifyUrl,
    Proxy,
    parse_ca_bundle,
    parse_notify_command,
    parse_notify_url,
    parse_proxy,
)

GOOGLE_PICTURE_HOSTS = (
    "storage.googleapis.com",
    "flow-content.google",
    "lh3.googleusercontent.com",
    "contribution.fife.usercontent.google.com",
)
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
EVERY_ADDRESS = "0.0.0.0"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one running Flowshelf. Fields without an environment variable are for tests."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8765
    share: bool = False
    allowed_hosts: frozenset[str] = frozenset()
    prefix: str = ""
    trusted_proxy: str | None = None
    labs_url: str = "https://labs.google"
    media_url: str = "https://aisandbox-pa.googleapis.com"
    flow_url: str = "https://flow.google.com"
    project_url: str = "{flow}/project/{id}"
    accounts_url: str = "https://accounts.google.com"
    histories: tuple[str, ...] = ("ASSET_MANAGER", "PINHOLE")
    page_size: int = 18
    page_delay_seconds: float = 1.0
    download_workers: int = 6
    trash_days: int = 30
    storage_roots: tuple[Path, ...] = ()
    file_names: str = DEFAULT_TEMPLATE
    file_metadata: str = "inside"
    picture_hosts: frozenset[str] = frozenset()
    proxy: Proxy | None = None
    ca_bundle: Path | None = None
    notify_url: NotifyUrl | None = None
    notify_command: NotifyCommand | None = None
    flow_next_key: str | None = field(default=None, repr=False)
    log_level: str | None = None
    retry_pauses_seconds: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    timeout_seconds: tuple[float, float] = (5.0, 30.0)
    mounts_path: Path = Path("/proc/mounts")
    # Where a Firefox on this machine keeps its profiles. Empty: none is looked for, as in the demo.
    firefox_roots: tuple[Path, ...] = ()
    # The demo: no cookies but its own are accepted, and no request leaves this machine.
    is_sealed: bool = False
    # The fields that the environment or a flag has set: the settings page shows them as fixed.
    given: frozenset[str] = frozenset()

    @property
    def database_path(self) -> Path:
        return self.data_dir / "flowshelf.sqlite3"

    @property
    def images_dir(self) -> Path:
        return self.data_dir / "images"

    @property
    def thumbnails_dir(self) -> Path:
        return self.data_dir / "thumbnails"

    @property
    def exports_dir(self) -> Path:
        """Requested ZIPs; each is deleted after a day."""
        return self.data_dir / "exports"

    @property
    def unknown_dir(self) -> Path:
        """Where `flowshelf verify --move-unknown` moves files that no image knows."""
        return self.data_dir / "unknown"

    @property
    def uploads_dir(self) -> Path:
        """Where requests that do not fit into memory are put while they arrive."""
        return self.data_dir / "uploads"

    @property
    def own_files(self) -> list[Path]:
        """Flowshelf's own files directly in the data folder. Each of them may contain secrets."""
        found = (*self.data_dir.glob("flowshelf*"), *self.data_dir.glob("share.json"))
        return [path for path in found if path.is_file() and not path.is_symlink()]

    @property
    def firefox_copies_dir(self) -> Path:
        """Where cookie files of Firefox are copied to for the moment of reading."""
        return self.data_dir / "firefox"

    @property
    def all_picture_hosts(self) -> frozenset[str]:
        """The hosts (`host` or `host:port`) whose signed picture URLs may be fetched or shown."""
        return self.picture_hosts | frozenset(GOOGLE_PICTURE_HOSTS)

    def project_page(self, project_id: str, account_index: int | None) -> str:
        """The page of a project in today's Flow, for the account with this number in `/u/N/`."""
        flow = self.flow_url if account_index is None else f"{self.flow_url}/u/{account_index}"
        return self.project_url.replace("{flow}", flow).replace("{id}", quote(project_id, safe=""))


def read_config(environ: Mapping[str, str] = os.environ, **given: object) -> Config:
    """The settings of `environ`, overridden by those of `given` that are not None.

    Raises BadRequest, which names the variable, for an invalid value.
    """
    chosen: dict[str, Any] = {each.field: _read(environ, each.variable, each.parse) for each in SETTINGS}
    chosen |= {name: _given(name, value) for name, value in given.items() if value is not None}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    fixed = frozenset(chosen)
    if chosen.get("share"):
        chosen.setdefault("host", EVERY_ADDRESS)
    folder = chosen.get("data_dir") or _default_data_dir()
    # Absolute, because paths of files are stored and must not depend on the working directory of a command.
    computed = {"data_dir": _parsed("--data-dir", str(folder), values.folder), "given": fixed}
    return Config(**{"firefox_roots": find_firefox_roots()} | chosen | computed)


def _default_data_dir() -> str:
    """The system's folder for application data. Raises BadRequest for a user without a home folder.

    A service or a container may have neither HOME nor an entry in the list of users.
    """
    try:
        folder = platformdirs.user_data_dir("flowshelf", appauthor=False)
        Path(folder).expanduser()
    except (RuntimeError, KeyError, OSError) as error:
        raise BadRequest(
            "Flowshelf does not know where to keep its data, because this user has no home folder. Name a "
            f"folder with {setting_of('data_dir').variable} or --data-dir."
        ) from error
    return folder


def find_firefox_roots(platform: str = sys.platform) -> tuple[Path, ...]:
    """The folders of this user in which Firefox keeps its profiles; not all of them exist."""
    try:
        home, settings = Path.home(), Path(platformdirs.user_config_dir())
        roaming = Path(platformdirs.user_data_dir(roaming=True))
    except (RuntimeError, KeyError, OSError):  # a user without a home folder has no Firefox either
        return ()
    if platform == "win32":
        return (roaming / "Mozilla" / "Firefox",)
    if platform == "darwin":
        return (home / "Library" / "Application Support" / "Firefox",)
    return (
        settings / "mozilla" / "firefox",
        home / ".mozilla" / "firefox",
        home / "snap" / "firefox" / "common" / ".mozilla" / "firefox",
        home / ".var" / "app" / "org.mozilla.firefox" / ".mozilla" / "firefox",
    )


def read_log_level(environ: Mapping[str, str] = os.environ) -> str | None:
    """`log_level` alone: a command starts its log before it reads all settings. Raises BadRequest."""
    return _read(environ, setting_of("log_level").variable, values.log_level)


def parse_setting(name: str, text: str, *, label: str | None = None) -> object:
    """The value of a setting that a person entered. Raises BadRequest, which names `label`, if invalid."""
    return _parsed(label or name, text, setting_of(name).parse)


def _read(environ: Mapping[str, str], variable: str, parse: Callable[[str], T]) -> T | None:
    """The value of a variable; None when it is unset or blank."""
    text = environ.get(variable, "").strip()
    return _parsed(variable, text, parse) if text else None


def _given(name: str, value: object) -> object:
    """A value from the command line; text is parsed like that of the environment variable."""
    if not isinstance(value, str):
        return value
    return _parsed(f"--{name.replace('_', '-')}", value, setting_of(name).parse)


def _parsed(setting: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except InvalidSecret as error:
        raise BadRequest(f"The setting {setting} is not valid: {error}.") from error
    except ValueError as error:
        raise BadRequest(f"The setting {setting} is “{text[:60]}”, which is not valid: {error}.") from error


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its field of Config, environment variable, reader and meaning.

    `flag` is its option of `flowshelf serve`, if it has one. `default_note` describes a default that the
    field itself does not hold.
    """

    field: str
    variable: str
    parse: Callable[[str], object]
    meaning: str
    flag: str | None = None
    default_note: str | None = None

    @property
    def default(self) -> str:
        """The default as a person would write it, or a note in its place."""
        value = Config.__dataclass_fields__[self.field].default
        match value:
            case _ if self.default_note:
                return self.default_note
            case bool():
                return str(int(value))
            case tuple() | frozenset():
                return ",".join(map(str, value)) or "none"
            case None:
                return "none"
        return str(value)

    @property
    def option_help(self) -> str:
        """The help text of the command-line option."""
        return f"{self.meaning}  [env var: {self.variable}; default: {self.default}]"


# Every setting. The environment, the options of the command and the help page are read from here.
SETTINGS = (
    Setting(
        "data_dir",
        "FLOWSHELF_DATA_DIR",
        values.folder,
        "Folder of the database, the images and the thumbnails.",
        "--data-dir",
        "your system's folder for application data",
    ),
    Setting(
        "host",
        "FLOWSHELF_HOST",
        str,
        "Address to listen on. An address that other machines can reach needs --share.",
        "--host",
        "127.0.0.1; with --share all addresses",
    ),
    Setting(
        "port",
        "FLOWSHELF_PORT",
        values.whole_number(0, 65535),
        "Port to listen on; 0 takes any free port.",
        "--port",
    ),
    Setting(
        "share",
        "FLOWSHELF_SHARE",
        values.yes_or_no,
        "Share the shelf in your network: everybody has to sign in, by a link for you or one for guests.",
        "--share",
    ),
    Setting(
        "trusted_proxy",
        "FLOWSHELF_TRUSTED_PROXY",
        values.address,
        "IP address of your reverse proxy. X-Forwarded headers are believed from this address only.",
        "--trusted-proxy",
    ),
    Setting(
        "allowed_hosts",
        "FLOWSHELF_ALLOWED_HOSTS",
        values.host_names,
        "Further host names by which browsers may open this shelf, separated by commas.",
    ),
    Setting(
        "prefix",
        "FLOWSHELF_PREFIX",
        values.prefix,
        "Path under which this shelf is served, such as /shelf. A reverse proxy has to pass it on.",
        default_note="none",
    ),
    Setting(
        "histories",
        "FLOWSHELF_HISTORIES",
        values.words,
        "Histories to sync at labs.google: uploads (ASSET_MANAGER) and generated images (PINHOLE).",
    ),
    Setting("page_size", "FLOWSHELF_PAGE_SIZE", values.whole_number(1, 1000), "Images in a history page."),
    Setting(
        "page_delay_seconds",
        "FLOWSHELF_PAGE_DELAY",
        values.seconds,
        "Seconds between two history pages, give or take a quarter; 0 for no wait. The first ten pages come "
        "without it.",
    ),
    Setting(
        "download_workers",
        "FLOWSHELF_DOWNLOAD_WORKERS",
        values.whole_number(1, 64),
        "Downloads at the same time, for each profile.",
    ),
    Setting(
        "trash_days",
        "FLOWSHELF_TRASH_DAYS",
        values.whole_number(1, 3650),
        "Days that deleted files stay in the trash. Then those that Flow still has are deleted for good.",
    ),
    Setting(
        "storage_roots",
        "FLOWSHELF_STORAGE_ROOTS",
        values.folders,
        "Further folders that images may be downloaded to, separated as in PATH.",
    ),
    Setting(
        "picture_hosts",
        "FLOWSHELF_PICTURE_HOSTS",
        lambda text: frozenset(values.words(text)),
        "Further hosts, as host or host:port, that images may be fetched from. Google's are known.",
    ),
    Setting(
        "file_names",
        "FLOWSHELF_FILE_NAMES",
        checked_template,
        "Template for the names of files that leave the shelf (saved, in a ZIP, exported). A / begins a "
        "folder.",
    ),
    Setting(
        "file_metadata",
        "FLOWSHELF_FILE_METADATA",
        checked_place,
        "Where date, prompt, model and seed go in files that leave the shelf: inside, sidecar (an .xmp file) "
        "or none.",
    ),
    Setting(
        "flow_next_key",
        "FLOWSHELF_FLOW_NEXT_KEY",
        str,
        "API key of the page at labs.google, to set it by hand.",
        default_note="read from the page",
    ),
    Setting(
        "log_level",
        "FLOWSHELF_LOG",
        values.log_level,
        "How much is logged: debug, info or warning. The option -v logs one level more.",
        default_note="info for a server, warning for other commands",
    ),
    Setting(
        "proxy",
        "FLOWSHELF_PROXY",
        parse_proxy,
        "URL of the proxy for requests to Google: http, https, socks5 or socks5h, with a name and password "
        "if it asks for them.",
        default_note="HTTPS_PROXY, ALL_PROXY and NO_PROXY, or the settings of macOS and Windows",
    ),
    Setting(
        "ca_bundle",
        "FLOWSHELF_CA_BUNDLE",
        parse_ca_bundle,
        "File or folder of the certificates (PEM) to trust in place of the system’s, for requests to Google.",
        default_note="the system’s store",
    ),
    Setting(
        "notify_url",
        "FLOWSHELF_NOTIFY_URL",
        parse_notify_url,
        "URL to which notifications are posted as JSON, as Apprise’s API takes them.",
    ),
    Setting(
        "notify_command",
        "FLOWSHELF_NOTIFY_COMMAND",
        parse_notify_command,
        "Program, with its arguments, that is started for each notification and reads it as JSON.",
    ),
    Setting("labs_url", "FLOWSHELF_LABS_URL", values.url, "Where the old Flow is."),
    Setting("media_url", "FLOWSHELF_MEDIA_URL", values.url, "Where the old Flow has its images."),
    Setting("flow_url", "FLOWSHELF_FLOW_URL", values.url, "Where today's Flow is."),
    Setting(
        "project_url",
        "FLOWSHELF_PROJECT_URL",
        values.project_url,
        "The page of a project there, for “Open in Flow”; {flow} is the address of Flow, {id} the project.",
    ),
    Setting(
        "accounts_url",
        "FLOWSHELF_ACCOUNTS_URL",
        values.url,
        "Where pasted cookies are renewed, for profiles whose session is kept alive.",
    ),
)
_BY_FIELD = {setting.field: setting for setting in SETTINGS}


def setting_of(field_name: str) -> Setting:
    """The setting that fills a field of Config."""
    return _BY_FIELD[field_name]
