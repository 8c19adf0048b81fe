"""A simulated Flow: a small true world behind real sockets, for the demo and for the tests."""

from webapp.demo.server import FlowServer
from webapp.demo.world import World

__all__ = ["FlowServer", "World"]
