"""What a provider's answer means: results, or one of the errors. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .declaration import Provider
from .errors import BadInput, CallError, KeyMissing, Moderated, OutOfQuota, TooSlow
from .paths import found

KEY = r"\bapi.?key\b.{0,12}\b(not valid|invalid|incorrect|expired)|\b(invalid|incorrect|expired).{0,4}\bapi.?key\b"
"""Words of those who answer a wrong key with 400, or with 200."""
LONGEST = 400
"""Characters of a provider's own words in a message."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_media(self) -> bool:
        """True if the body is a picture or a video itself."""
        return self.headers.get("content-type", "").startswith(("image/", "video/", "application/octet-stream"))

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def fault(provider: Provider, answer: Answer, secrets: Sequence[str] = ()) -> CallError | None:
    """The error that the answer tells of, or None if it is a good one."""
    data = answer.json
    if answer.status < 400:
        if answer.is_media:
            return None
        if answer.status == 202 and not answer.body:
            return None  # a job that goes on, of which there is nothing to say
        if data is None:
            return CallError(f"{provider.title}: the answer is not JSON (HTTP {answer.status})")
        if not provider.ok or all(value in provider.ok[1] for value in found(data, provider.ok[0])):
            return None
    return classified(provider, said(provider, data, secrets), answer.status)


def classified(provider: Provider, text: str, status: int = 0) -> CallError:
    """An error of the class that its words and its status tell of."""
    about = f"{provider.title}: {text or 'no reason given'}" + (f" (HTTP {status})" if status >= 400 else "")
    if re.search(provider.moderation, text, re.IGNORECASE):
        return Moderated(about)
    if status == 402 or re.search(provider.quota, text, re.IGNORECASE):
        return OutOfQuota(about)
    if status in (401, 403) or re.search(KEY, text, re.IGNORECASE):
        return KeyMissing(f"{about}: check {named(provider)} in ComfyUI's environment")
    if status == 429:
        return OutOfQuota(about)
    if status in (408, 504):
        return TooSlow(about)
    return BadInput(about) if 400 <= status < 500 else CallError(about)


def failure(provider: Provider, state: str, answer: Answer, secrets: Sequence[str]) -> CallError | None:
    """The error of a job that came to an end, or None if it went well; `state` is empty if it says that it did."""
    told = any(found(answer.json, path) for path in provider.failed_by)
    if not state and not told:
        return None
    words = (redacted(state, secrets)[:LONGEST], said(provider, answer.json, secrets))
    return classified(provider, ": ".join(dict.fromkeys(text for text in words if text)))


def named(provider: Provider) -> str:
    """The environment variables that hold the provider's keys, in words."""
    groups = [" or ".join(group) for group in provider.auth.env]
    groups += [variable for variable, default in provider.variables.values() if not default]
    if not provider.base_url:
        groups.append(provider.url_env)
    own = " and ".join(groups)
    return f"{own}, or {named(provider.otherwise)}" if provider.otherwise else own


def said(provider: Provider, data: Any, secrets: Sequence[str]) -> str:
    """A provider's own words about an error without the keys, cut to a length that can be shown."""
    values = [value for path in provider.errors for value in found(data, path)]
    texts = [str(value) for value in values if isinstance(value, (str, int)) and not isinstance(value, bool)]
    return redacted(": ".join(dict.fromkeys(texts)), secrets)[:LONGEST]  # a key that is cut first stays in part


def redacted(text: str, secrets: Sequence[str]) -> str:
    """The text without the keys, should the other side have sent one back."""
    for secret in secrets:
        text = text.replace(secret, "***") if len(secret) > 3 else text
    return text


def results(provider: Provider, data: Any, secrets: Sequence[str]) -> list[str]:
    """URLs, data: URIs or base64 of the results.

    Errors: Moderated or CallError if there are none.
    """
    for path in provider.results:
        values = [value for value in found(data, path) if isinstance(value, str)]
        if values:
            return values
    reasons = [str(value) for path in provider.refused for value in found(data, path) if value is not True]
    if not set(reasons) <= set(provider.harmless):
        why = redacted(", ".join(dict.fromkeys(reasons)), secrets)
        raise Moderated(f"{provider.title}: {why[:LONGEST]}")
    raise CallError(f"{provider.title}: the answer holds no {provider.kind}. {said(provider, data, secrets)}".rstrip())


def share(value: Any) -> float | None:
    """How far a job is, 0 to 1, of 0.5, 50 or "50%"; None if it is nothing of that."""
    text = str(value).strip()
    percent = text.endswith("%")
    try:
        number = float(text.rstrip("%"))
    except ValueError:
        return None
    return min(max(number / 100 if percent or number > 1 else number, 0.0), 1.0)
