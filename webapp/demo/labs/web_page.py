"""The web page of the simulated labs.google, and the script that carries the API key."""

from webapp.demo.responses import Response, text_response

SCRIPT_PATH = "/fx/_next/static/chunks/pages/_app-"


def flow_page(script_src: str) -> Response:
    return text_response(
        200,
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Flow</title>'
        '<script src="/fx/_next/static/chunks/webpack-0c1d2e3f4a5b6c7d.js" defer=""></script>'
        '<script src="/fx/_next/static/chunks/main-1a2b3c4d5e6f7a8b.js" defer=""></script>'
        f'<script src="{script_src}" defer=""></script></head><body><div id="__next"></div>'
        '<script id="__NEXT_DATA__" type="application/json">{"page":"/"}</script></body></html>',
    )


def script_path(build: str) -> str:
    return f"{SCRIPT_PATH}{build}.js"


def flow_script(key: str, decoy_key: str) -> Response:
    """A script that holds another service's key once, first, and then the API key three times."""
    text = (
        f'(self.webpackChunk_N_E=self.webpackChunk_N_E||[]).push([[2888],{{1:function(e,t){{t.maps="{decoy_key}";'
        f't.sandbox={{apiKey:"{key}"}};t.media=n=>n+"?key={key}";t.upload={{key:"{key}"}}}}}}]);'
    )
    return text_response(200, text, "application/javascript; charset=UTF-8")
