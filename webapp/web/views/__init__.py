"""What the browser and scripts ask: thin views that read, command and render.

pages       whole pages and panels, by GET
detail      one image: its page, its file and its thumbnails
commands    forms and buttons, by POST
selecting   what is done with a selection: sum, names, metadata, hide, delete
zips        ZIPs of a selection
examining   what a service sends, and a report of it
share       signing in and out, and the links of a shared shelf
api         the JSON API
health      how this Flowshelf is
problems    errors as a page, a fragment or JSON
activity    runs, failures, messages and schedules
overview    the shelf in charts
help        the help pages
panels      what the sync and download panels say
formats     numbers, sizes and times for people
model_names models by the names that people know
words       runs, schedules and histories in words
reasons     why records were not kept as images
"""

from flask import Flask

from webapp.web.views import (
    activity,
    api,
    commands,
    examination,
    exports,
    formats,
    health,
    help,
    ignored_reasons,
    image,
    labels,
    model_names,
    overview,
    problems,
    selections,
    settings,
    share,
)


def register_views(app: Flask) -> None:
    app.register_blueprint(image.pages)
    app.register_blueprint(commands.commands)
    app.register_blueprint(selections.selecting)
    app.register_blueprint(exports.zips)
    app.register_blueprint(examination.examining)
    app.register_blueprint(activity.activity)
    app.register_blueprint(overview.charts)
    app.register_blueprint(share.share)
    app.register_blueprint(settings.settings)
    app.register_blueprint(api.api)
    app.register_blueprint(health.health)
    app.register_blueprint(help.help_pages)
    problems.register(app)
    formats.register(app)
    model_names.register(app)
    labels.register(app)
    ignored_reasons.register(app)
