"""An access token of Google's application default credentials, where the library google-auth is installed."""

from __future__ import annotations

from importlib import import_module

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def default_token() -> str:
    """The token, or nothing if the library or the credentials are missing."""
    try:
        auth = import_module("google.auth")
        transport = import_module("google.auth.transport.requests")
    except ImportError:
        return ""
    try:
        credentials, _ = auth.default(scopes=[SCOPE])
        credentials.refresh(transport.Request())
    except Exception:  # the library has a tree of errors of its own, all meaning: not from here
        return ""
    return str(credentials.token or "")
