"""What the browser and scripts ask: thin views that read, command and render.

pages       whole pages and panels, by GET
detail      one image: its page, its file and its thumbnails
commands    forms and buttons, by POST
api         the JSON API
problems    errors as a page, a fragment or JSON
panels      what the sync and download panels say
formats     numbers, sizes and times for people
"""

from flask import Flask

from webapp.views import api, commands, detail, formats, problems


def register_views(app: Flask) -> None:
    app.register_blueprint(detail.pages)
    app.register_blueprint(commands.commands)
    app.register_blueprint(api.api)
    problems.register(app)
    formats.register(app)
