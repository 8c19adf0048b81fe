"""The simulated labs.google: its responses and their JSON."""
