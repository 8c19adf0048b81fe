"""Thin views: they read a request, ask `store` or command `background`, and render a response.

gallery            the gallery and its fragments
image              one image: its page, its file, its thumbnails
comparison         two images side by side
panels             the sync and download panels
commands           the buttons of the panels and of the gallery
selections         commands for selected images: copy names, export metadata, hide, delete files
exports            ZIPs of selected images
profiles           profiles: pages and forms
renewal            the switch that keeps pasted cookies alive
sign_in_ways       the ways to sign in beside pasting, and their pages
companion_pages    the page “Connect this browser”, and the companion as a ZIP
companion_relay    signed requests of paired browsers (the companion)
companion_accounts forms about paired browsers
examination        examination of the responses of Flow, with a report
activity           runs, failures, messages, automatic syncs
overview           charts of all images
settings           the settings page
help               the help pages
share              sign-in, and the links of a shared Flowshelf
preferences        size of the images, light or dark
api                the JSON API (json_body reads requests, api_values makes responses)
health             /healthz
problems           error responses

filter_parameters  filters and selections in URLs and forms
return_path        the page to return to after a form
formats            numbers, sizes and times as text
labels             the words for states, runs and histories
image_display      how an image is shown
model_names        public names of image models
ignored_reasons    why a sync skipped entries
"""

from flask import Flask

from webapp.web.access import is_guest, is_owner
from webapp.web.services import is_demo
from webapp.web.views import (
    activity,
    api,
    commands,
    companion_accounts,
    companion_pages,
    companion_relay,
    comparison,
    examination,
    exports,
    formats,
    gallery,
    health,
    help,
    ignored_reasons,
    image,
    image_display,
    labels,
    model_names,
    overview,
    panels,
    preferences,
    problems,
    profiles,
    renewal,
    return_path,
    selections,
    settings,
    share,
    sign_in_ways,
)


def register_views(app: Flask) -> None:
    app.register_blueprint(gallery.gallery)
    app.register_blueprint(image.image_pages)
    app.register_blueprint(comparison.comparison)
    app.register_blueprint(panels.panels)
    app.register_blueprint(commands.commands)
    app.register_blueprint(selections.selection_commands)
    app.register_blueprint(exports.export_pages)
    app.register_blueprint(profiles.profiles)
    app.register_blueprint(renewal.renewal)
    app.register_blueprint(companion_pages.companion_pages)
    app.register_blueprint(companion_relay.companion_relay)
    app.register_blueprint(companion_accounts.companion_accounts)
    app.register_blueprint(examination.examination)
    app.register_blueprint(activity.activity)
    app.register_blueprint(overview.charts)
    app.register_blueprint(share.share)
    app.register_blueprint(settings.settings)
    app.register_blueprint(api.api)
    app.register_blueprint(health.health)
    app.register_blueprint(help.help_pages)
    _register_template_parts(app)
    app.jinja_env.globals |= {
        "is_owner": is_owner,
        "is_guest": is_guest,
        "is_demo": is_demo,
        "has_topic": help.has_topic,
    }


def _register_template_parts(app: Flask) -> None:
    """Filters, functions and error pages that all templates share."""
    preferences.register(app)
    problems.register(app)
    formats.register(app)
    image_display.register(app)
    labels.register(app)
    model_names.register(app)
    ignored_reasons.register(app)
    return_path.register(app)
    renewal.register(app)
    sign_in_ways.register(app)
