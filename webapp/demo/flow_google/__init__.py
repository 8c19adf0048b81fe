"""The simulated flow.google.com.

service      what each call is answered with, and when it is refused
frames       the frame around the response of a call
records      the contents of a project
listing      the list of projects
start_page   the page from which a client reads what every call has to carry
"""
