"""Phase 1: walk a history page by page and store what it says, without any file.

rules    what a page means, decided by pure functions
engine   carries a run on
missing  what a full sync says of images that it did not meet
"""
