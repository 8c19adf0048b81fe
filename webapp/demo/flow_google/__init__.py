"""The simulated flow.google.com: its responses, their frames and records."""
