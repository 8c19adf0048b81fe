"""The simulated labs.google and its media service.

service    what each request is answered with, and when it is refused
payloads   the JSON of histories and media
web_page   the page and the script from which a client reads the API key
"""
