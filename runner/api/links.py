"""Media links that open without a key until they expire: an HMAC over the storage key and the hour."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlencode

MEDIA_PATH: Final = "/media/"
ROUND_SECONDS: Final = 60
"""Expiries are whole minutes: polls within one minute give the same link, which a browser may cache."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and checks links. `base` is where callers reach the API, without a slash at the end."""

    secret: bytes
    base: str
    seconds: int = 3600
    """How long a link opens, at least."""
    clock: Callable[[], float] = time.time

    def at(self, base: str) -> Links:
        """The same links under another address."""
        return replace(self, base=base.rstrip("/"))

    def url(self, key: str, until: float | None = None) -> str:
        """A link to the file of this key. It opens until then, seconds since the epoch, or for `seconds`."""
        expires = int(until or (int(self.clock()) // ROUND_SECONDS + 1) * ROUND_SECONDS + self.seconds)
        query = urlencode({"expires": expires, "signature": self._sign(key, expires)})
        return f"{self.base}{MEDIA_PATH}{quote(key)}?{query}"

    def opens(self, key: str, expires: str, signature: str) -> bool:
        """True if we made this link and it has not expired."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12 and signature.isascii()):
            return False
        return hmac.compare_digest(self._sign(key, int(expires)), signature) and self.clock() < int(expires)

    def _sign(self, key: str, expires: int) -> str:
        return hmac.new(self.secret, f"{expires}:{key}".encode(), hashlib.sha256).hexdigest()
