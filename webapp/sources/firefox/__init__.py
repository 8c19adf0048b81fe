"""The Google sign-in of a Firefox on this machine, read from its files.

    profiles       the profiles of Firefox, and their containers
    profiles_ini   the file that names the profiles
    sign_in        the cookies that sign in to Flow
    cookie_file    the cookies that Firefox has stored (cookies.sqlite)
    session_store  the session cookies of open windows (recovery.jsonlz4)
    lz4            the compression of that file
    bounded        files of limited size

Firefox may be running. Nothing is written into its folders, and nothing there is trusted: every size is
limited, only regular files are opened, and whatever cannot be read is a FirefoxSignedOut with a sentence.
"""

from webapp.sources.firefox.profiles import (
    Container,
    FirefoxProfile,
    describe_profile,
    find_profiles,
    read_user_agent,
)
from webapp.sources.firefox.sign_in import (
    FirefoxFiles,
    FirefoxSignIn,
    file_state,
    missing_sign_in,
    read_sign_in,
)

__all__ = [
    "Container",
    "FirefoxFiles",
    "FirefoxProfile",
    "FirefoxSignIn",
    "describe_profile",
    "file_state",
    "find_profiles",
    "missing_sign_in",
    "read_sign_in",
    "read_user_agent",
]
