"""Phase 1: read histories page by page and store what they say, without any file.

rules    the numbered rules of walks, and the decisions among them as pure functions
engine   runs a sync
missing  sentences about images that a full sync did not find
"""
