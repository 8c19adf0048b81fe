"""Everything between a request and the layers below: security, access, compression, sharing and the views.

prefix         serves the app under a path, behind a reverse proxy
security       checks Host and Origin, finds out the role of each request, adds security headers
companion_access  what the extension of a paired browser may do, and how its answers are signed
access         the role of the current request, and which views each role may use
compression    gzip for text, and long-lived caching for static files
sharing        sign-in on a shared Flowshelf: codes, sessions, links
services       the background work and the sharing of the running app
views          pages, panels, forms and the JSON API
"""
