"""One conversation with a provider: its keys, and requests that are sent again where that makes sense."""

from __future__ import annotations

import os
import random
import re
import time
from calendar import timegm
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_tz

from . import answer as answers
from .answer import Answer
from .declaration import Auth, Provider
from .errors import CallError, KeyMissing
from .hosts import Allowed
from .http import ANSWER_BYTES, Host, Unreachable, send
from .request import Request

TRIES = 5
"""Of one request that is answered by 429 or 5xx."""
RETRIED = frozenset({429, 500, 502, 503, 529})
"""Not 504: behind a gateway that gave up, a job may be under way and paid for."""
ASKED_AGAIN = RETRIED | {408, 504, *range(520, 525)}
"""Of a request that begins no work; 520 to 524 are Cloudflare's words for 502 and 504."""
LONGEST_WAIT = 60.0
"""Seconds between two tries, whatever Retry-After says."""


@dataclass(frozen=True)
class Session:
    """What every request of one call shares."""

    provider: Provider
    base: str
    secrets: tuple[str, ...]
    allowed: Allowed
    host: Host
    deadline: float
    timeout: float

    @property
    def proof(self) -> dict[str, str]:
        """The header that holds the key, made anew: a signed token is good for less than a long job lasts."""
        return proof(self.provider.auth, self.secrets)

    def ask(self, request: Request, most: int = ANSWER_BYTES) -> Answer:
        """Sends a request with the key, again if the other side is busy, and gives a good answer.

        Errors: those of answers.fault; TooSlow past the deadline.
        """
        paid = self.proof
        self.allowed.api(request.url, bool(paid))
        full = replace(request, headers={**request.headers, **paid})
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                answer = send(full, self.host, self.deadline, most)
            except Unreachable:
                if last or not request.asks or not self.pause(attempt, {}):
                    raise
                continue
            error = self._fault(answer, paid)
            if error is None:
                return answer
            if last or not self._may_retry(answer, request.asks) or not self.pause(attempt, answer.headers):
                raise error
        raise AssertionError

    def get(self, url: str, most: int = ANSWER_BYTES) -> Answer:
        """Asks for an address."""
        return self.ask(Request("GET", url, {"Accept": "application/json", **self.provider.headers}), most)

    def results(self, answer: Answer) -> list[str]:
        """Results in an answer, as answers.results gives them."""
        return answers.results(self.provider, answer.json, self.secrets)

    def _fault(self, answer: Answer, paid: Mapping[str, str]) -> CallError | None:
        if 300 <= answer.status < 400:
            return CallError(f"{self.provider.title}: redirects are not followed with a key (HTTP {answer.status})")
        signed = [value.rpartition(" ")[2] for value in paid.values()]
        return answers.fault(self.provider, answer, [*self.secrets, *signed])

    def _may_retry(self, answer: Answer, asks: bool) -> bool:
        words = answers.said(self.provider, answer.json, self.secrets)
        if re.search(f"{self.provider.quota}|{self.provider.moderation}", words, re.IGNORECASE):
            return False
        busy = self.provider.busy and re.search(self.provider.busy, words, re.IGNORECASE)
        return answer.status in (ASKED_AGAIN if asks else RETRIED) or bool(busy)

    def pause(self, attempt: int, headers: Mapping[str, str]) -> bool:
        """Waits before the next try, as the answer's headers say; False if there is no time for it."""
        pause = waiting(attempt, headers.get("retry-after", ""), headers.get("date", ""))
        if self.host.now() + pause > self.deadline:
            return False
        self.host.sleep(pause)
        return True


def waiting(attempt: int, retry_after: str, date: str = "", draw: float | None = None) -> float:
    """Seconds before the next try: what Retry-After says, else 1, 2, 4, … with a fifth of chance in it.

    Retry-After is a number of seconds, or a moment; that is counted from the answer's own `date`, for clocks differ.
    """
    asked = _seconds(retry_after, date)
    if asked is not None:
        return min(asked, LONGEST_WAIT)
    drawn = random.random() if draw is None else draw  # noqa: S311 - spreads retries
    return min(2.0**attempt * (0.9 + 0.2 * drawn), LONGEST_WAIT)


def _seconds(retry_after: str, date: str) -> float | None:
    if re.fullmatch(r"\s*[0-9]+(\.[0-9]+)?\s*", retry_after):
        return float(retry_after)
    until = _moment(retry_after)
    now = _moment(date) or time.time()
    return None if until is None else max(0.0, until - now)


def _moment(text: str) -> float | None:
    """Unix time of an HTTP date; None if it is none."""
    read = parsedate_tz(text)
    try:
        return None if read is None else timegm((*read[:6], 0, 0, 0)) - (read[9] or 0)
    except (ValueError, OverflowError):
        return None


# --- environment -----------------------------------------------------------------------------------------------


def opened(provider: Provider) -> tuple[Provider, tuple[str, ...], str, dict[str, str]]:
    """The door whose keys are there: its declaration, keys, base URL and the values of its URL's variables.

    Errors: KeyMissing naming the environment variables.
    """
    door: Provider | None = provider
    while door is not None:
        variables = {name: os.environ.get(env) or default for name, (env, default) in door.variables.items()}
        base = os.environ.get(door.url_env, "").strip() or door.base_url
        if base and all(variables.values()):  # only then: a default token may have to be asked for
            secrets = _secrets(door.auth)
            if all(secrets) or (door.auth.optional and base != door.base_url):
                for name, value in variables.items():
                    base = base.replace(f"{{{name}}}", value)
                return door, secrets, base, variables
        door = door.otherwise
    raise KeyMissing(f"{provider.title}: set {answers.named(provider)} in ComfyUI's environment")


def _secrets(auth: Auth) -> tuple[str, ...]:
    values = [next((os.environ[name] for name in group if os.environ.get(name)), "") for group in auth.env]
    if auth.token is not None and values and not values[0]:
        values[0] = auth.token()
    return tuple(value.strip() for value in values)


def proof(auth: Auth, secrets: Sequence[str]) -> dict[str, str]:
    """The header that holds the key; nothing for an API without one.

    Errors: KeyMissing for a key that is none.
    """
    if not all(secrets) or not auth.header:
        return {}
    value = auth.sign(secrets) if auth.sign else auth.value.format(*secrets)
    if any(ord(character) < 32 or ord(character) > 126 for character in value):
        raise KeyMissing(f"{' or '.join(auth.env[0])}: holds characters that no key has")
    return {auth.header: value}
