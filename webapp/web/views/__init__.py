"""Thin views: they read a request, ask `store` or command `background`, and render a response.

gallery            the gallery and its fragments
image              one image: its page, its file, its thumbnails
comparison         two images side by side
panels             the sync and download panels
status             the status line of the gallery, and the page with both panels
commands           the buttons of the panels and of the gallery
selections         commands for selected images: copy names, export metadata, hide, delete files
favourites         the heart
collections        collections: their pages, and adding images to them
exports            ZIPs of selected images
profiles           profiles: pages and forms
firefox            the Firefox of this machine whose sign-in is used
renewal            the switch that keeps pasted cookies alive
sign_in_ways       the ways to sign in beside pasting, and their pages
companion_pages    the page “Connect this browser”, and the companion as a ZIP
companion_relay    signed requests of paired browsers (the companion)
companion_accounts forms about paired browsers
examination        examination of the responses of Flow, with a report
activity           runs, failures, toasts, automatic syncs
overview           charts of all images
settings           the settings page
trash              the trash: restore, empty
handover           a script that reads Flow in its console, and the parts that it saves
help               the help pages
share              sign-in, and the links of a shared Flowshelf
preferences        density of the gallery, light or dark
adoption           files that a person downloaded elsewhere: the drop zone
api, api_firefox, api_trash, api_choices   the JSON API (json_body reads requests, api_values makes responses)
health             /healthz
installation       the web manifest
problems           error responses

filter_parameters  filters and selections in URLs and forms
search_notes       what a page says about a search
return_path        the page to return to after a form
timeline           the months at the edge of the gallery
zones              the time zone of the viewer
formats            numbers, sizes and times as text
labels             the words for states, runs and histories
image_display      how an image is shown
filter_chips       what a filter is set to
model_names        public names of image models
ignored_reasons    why a sync skipped entries
"""

from flask import Flask

from webapp.web.access import is_guest, is_owner
from webapp.web.services import is_demo
from webapp.web.views import (
    activity,
    adoption,
    api_choices,
    collections,
    commands,
    companion_accounts,
    companion_pages,
    companion_relay,
    comparison,
    examination,
    exports,
    favourites,
    filter_chips,
    firefox,
    formats,
    gallery,
    handover,
    health,
    help,
    ignored_reasons,
    image,
    image_display,
    installation,
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
    status,
    trash,
)

BLUEPRINTS = (
    gallery.gallery,
    image.image_pages,
    comparison.comparison,
    panels.panels,
    status.status,
    commands.commands,
    selections.selection_commands,
    favourites.favourite_commands,
    collections.collection_pages,
    exports.export_pages,
    trash.trash_pages,
    adoption.adoption,
    handover.handover,
    profiles.profiles,
    renewal.renewal,
    companion_pages.companion_pages,
    companion_relay.companion_relay,
    companion_accounts.companion_accounts,
    examination.examination,
    firefox.firefox,
    activity.activity,
    overview.charts,
    share.share,
    settings.settings,
    api_choices.api,  # that of `api`, with the requests about Firefox, the trash and choices
    health.health,
    installation.installation,
    help.help_pages,
)


def register_views(app: Flask) -> None:
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    preferences.register(app)
    problems.register(app)
    formats.register(app)
    image_display.register(app)
    filter_chips.register(app)
    labels.register(app)
    model_names.register(app)
    ignored_reasons.register(app)
    return_path.register(app)
    renewal.register(app)
    sign_in_ways.register(app)
    app.jinja_env.globals |= {
        "is_owner": is_owner,
        "is_guest": is_guest,
        "is_demo": is_demo,
        "has_topic": help.has_topic,
    }
