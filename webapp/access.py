"""Who is asking."""


def is_owner() -> bool:
    """Everybody, as long as nobody signs in: only this machine is served."""
    return True
