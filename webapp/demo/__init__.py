"""A simulated Flow on real sockets, for `flowshelf demo` and for the tests.

world           one account: its images and videos
account/        the parts that an account consists of
labs/           the responses of labs.google
flow_google/    the responses of flow.google.com
browsers        which browsers are signed in, with which accounts
service         hands each request to one of the two, and serves pictures
server          the socket server, with methods that make it fail
faults          queued faults and gates
journal         the requests that arrived, and violations
samples         the accounts of the demo
"""

from webapp.demo.server import FlowServer
from webapp.demo.world import World

__all__ = ["FlowServer", "World"]
