"""The parts of a `World`, which is one account of the simulated Flow.

labs_sign_in, google_sign_in   cookies and tokens of the two services
flow_google                    what only flow.google.com shows
projects                       the list of projects
pagination                     the order of a history, and cursors
seeding                        when the first images were made
"""
