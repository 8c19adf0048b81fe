"""Phase 1: what is stored of each history.

walks            gaps and walks: where the next walk continues
history_pages    stores the images of one history page
projects         the projects of an account, and which of them a quick sync reads
missing          images that a full sync did not find
"""
