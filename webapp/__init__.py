"""Flowshelf: a local shelf for a person's Google Flow images. `create_app` puts the parts together."""

import logging
from pathlib import Path

from flask import Flask, request
from flask_htmx import HTMX

from webapp import storage, store
from webapp.background import Background
from webapp.config import Config
from webapp.web import compression, security, services
from webapp.web.sharing import Sharing
from webapp.web.views import register_views

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 32 * 1024 * 1024


def create_app(config: Config) -> Flask:
    """The dashboard and its API on one data folder. Starts no thread: `app.background.start()` does."""
    make_data_folder(config)
    _open_database(config)
    assets = asset_root()
    app = Flask(__name__, template_folder=str(assets / "templates"), static_folder=str(assets / "static"))
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = security.MAX_FORM_BYTES
    app.config["MAX_FORM_PARTS"] = 10_000
    app.json.sort_keys = False
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    sharing = Sharing(config) if config.share else None
    services.install(app, Background(config), sharing)
    HTMX(app)
    compression.compress_responses(app)
    security.protect(app, config)
    _open_connections(app)
    security.require_sign_in(app, sharing)
    register_views(app)
    return app


def make_data_folder(config: Config) -> None:
    """The data folder and what belongs into it, readable by nobody else. Raises DiskFull or FolderGone."""
    for folder in (config.data_dir, config.images_dir, config.thumbnails_dir, config.exports_dir):
        with storage.translate_errors(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with storage.translate_errors(config.data_dir):
        if config.data_dir.stat().st_mode & 0o777 != 0o700:
            config.data_dir.chmod(0o700)
        for path in config.own_files:
            if path.stat().st_mode & 0o777 != 0o600:
                path.chmod(0o600)  # database, its journals, codes, lock: whoever copied them here and how


def _open_database(config: Config) -> None:
    share = storage.network_share_of(config.data_dir, config.mounts_path)
    if share:
        log.warning(
            "The data folder %s lies on a network share (%s). SQLite's write-ahead log does not work there: "
            "a slower journal is used. Better put the data folder on a disk of this machine, and only the "
            "pictures on the share, by FLOWSHELF_STORAGE_ROOTS.",
            config.data_dir,
            share,
        )
    store.open_database(config.database_path, on_network=share is not None)


def asset_root() -> Path:
    """Where templates and static lie: in the package when installed from a wheel, else beside it."""
    package = Path(__file__).resolve().parent
    return package if (package / "templates").is_dir() else package.parent


def _open_connections(app: Flask) -> None:
    """Each request has its own connection, opened after the guard let it in."""

    @app.before_request
    def open_connection() -> None:
        if request.endpoint != "static":
            store.open_connection()

    @app.teardown_request
    def close_connection(error: BaseException | None) -> None:
        store.close_connection()
