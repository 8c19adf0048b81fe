"""Flowshelf: a local shelf for your own Google Flow images. `create_app` puts its parts together."""

import logging
from pathlib import Path

from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider
from flask_htmx import HTMX

from webapp import storage, store
from webapp.background import Background
from webapp.config import Config
from webapp.database import translate_errors
from webapp.maintenance.doctor import find_open_modes
from webapp.store.roots import load_roots
from webapp.web import companion_access, compression, prefix, security, services, unreadable
from webapp.web.sharing import Sharing
from webapp.web.views import register_views

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 32 * 1024 * 1024


def create_app(config: Config, *, reloads_assets: bool = False) -> Flask:
    """The dashboard and the JSON API for one data folder. Starts no thread: `Background.start` does.

    `reloads_assets`: read templates again when they change, and let browsers cache no style sheet or script.
    """
    make_data_folder(config)
    _open_database(config)
    if problem := find_open_modes(config):
        log.info("%s", problem)  # no warning, which each command of a script would repeat
    assets = asset_root()
    app = Flask(__name__, template_folder=str(assets / "templates"), static_folder=str(assets / "static"))
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = security.MAX_FORM_BYTES
    app.config["MAX_FORM_PARTS"] = 10_000
    app.config["TEMPLATES_AUTO_RELOAD"] = reloads_assets
    json_provider = DefaultJSONProvider(app)
    json_provider.sort_keys = False  # fields come in the order in which the API's documentation lists them
    app.json = json_provider
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    sharing = Sharing(config) if config.share else None
    services.install(app, Background(config), sharing)
    HTMX(app)
    prefix.serve_under(app, config.prefix)
    # Flask runs hooks before a request in this order, and hooks after it in the reverse order. A request is
    # refused by its Host and Origin before a connection is opened, and its session is looked up with that.
    if reloads_assets:
        _forbid_caching_assets(app)
    compression.compress_responses(app)
    companion_access.sign_answers(app)  # before they are compressed: hooks after a request run in reverse
    security.protect(app, config)
    _open_connections(app)
    security.require_sign_in(app, sharing)
    register_views(app)
    app.wsgi_app = unreadable.refuse_unreadable(app.wsgi_app)  # type: ignore[assignment]  # documented so
    return app


def make_data_folder(config: Config) -> None:
    """Create the data folder and its folders, and make them private where the disk allows it.

    Raises DiskFull or FolderGone.
    """
    folders = (config.images_dir, config.thumbnails_dir, config.exports_dir, config.uploads_dir)
    for folder in (config.data_dir, *folders):
        with storage.translate_errors(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with storage.translate_errors(config.data_dir):
        # The files hold secrets, and a copy made by hand may be readable by others.
        for path in (config.data_dir, *config.own_files):
            storage.make_private(path)


def _open_database(config: Config) -> None:
    share = storage.network_share_of(config.data_dir, config.mounts_path)
    if share:
        log.warning(
            "The data folder %s is on a network share (%s), where SQLite's write-ahead log does not work. "
            "Flowshelf uses a slower journal. Better move the data folder to a disk of this machine; "
            "images may stay on the share, see FLOWSHELF_STORAGE_ROOTS.",
            config.data_dir,
            share,
        )
    store.open_database(config.database_path, on_network=share is not None)
    with translate_errors(), store.connection():
        load_roots(config.images_dir, config.storage_roots)


def asset_root() -> Path:
    """The folder of `templates` and `static`: the package of an installed wheel, else the repository."""
    package = Path(__file__).resolve().parent
    return package if (package / "templates").is_dir() else package.parent


def _open_connections(app: Flask) -> None:
    """Give each request its own database connection, opened after its Host and Origin were checked."""

    @app.before_request
    def open_connection() -> None:
        if request.endpoint != "static":
            store.open_connection()

    @app.teardown_request
    def close_connection(error: BaseException | None) -> None:
        store.close_connection()


def _forbid_caching_assets(app: Flask) -> None:
    @app.after_request
    def forbid_caching(response: Response) -> Response:
        if request.endpoint == "static":
            response.headers["Cache-Control"] = "no-store"
        return response
