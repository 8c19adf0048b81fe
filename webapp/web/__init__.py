"""All that a request passes: security, access, compression, sharing, and the views.

security       Host and Origin of every request, sign-in on a shared shelf, security headers
access         who is asking, and which views are open to whom
compression    compressed text, cached assets
sharing        the two codes, and the sessions of browsers that signed in with them
views          pages, panels, forms and the JSON API
"""
