"""Who is to blame when a node fails, by what it says. Pure.

comfyc's own nodes begin a message with `[comfyc:<category>]` (comfy_nodes/providers/errors.py). ComfyUI's partner nodes
have only their texts (0.3.64 and 0.8.0, comfy_api_nodes), and those of the services behind them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from runner.job import Cause

TAG: Final = re.compile(r"\[comfyc:(\w+)\]\s*")
CATEGORIES: Final[Mapping[str, Cause]] = {
    "provider": Cause.PROVIDER,
    "key": Cause.PROVIDER,
    "input": Cause.INVALID,
    "moderation": Cause.MODERATION,
    "quota": Cause.QUOTA,
    "timeout": Cause.TIMEOUT,
    "library": Cause.UNAVAILABLE,
}
TEXTS: Final[tuple[tuple[re.Pattern[str], Cause], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (
            r"(?:request|content|input|output|prompt|image|video)s? (?:was |were )?moderated"
            r"|moderation[_ ](?:blocked|failed|policy|system|check)|content moderation"
            r"|Responsible AI (?:practices|filters)|API blocked the request"
            r"|safety (?:system|filters?|polic(?:y|ies)|checks?|settings)|SAFETY\.(?:INPUT|OUTPUT)"
            r"|SensitiveContent|sensitive (?:content|information|words?)"
            r"|content polic(?:y|ies)|PROHIBITED_CONTENT|risk control|flagged as (?:nsfw|inappropriate)",
            Cause.MODERATION,
        ),
        (
            r"add credits to your account|insufficient (?:credits?|balance|quota|funds)|not enough credits"
            r"|rate limit (?:exceeded|reached)|too many requests|quota exceeded|exceeded your current quota"
            r"|RESOURCE_EXHAUSTED|billing[_ ]hard[_ ]limit",
            Cause.QUOTA,
        ),
        (
            r"polling timed out|timed out after \d|task timed out|did not (?:finish|complete) (?:with)?in",
            Cause.TIMEOUT,
        ),
        (
            r"please login first to use this node|problem with your account|API request failed"
            r"|(?:connect|connection) to the API|comfy\.org|API server at|\bAPI error\b|^HTTP \d{3}: ",
            Cause.PROVIDER,
        ),
    )
)
"""What partner nodes and their services say; first match wins."""


def blame(message: str) -> tuple[Cause, str]:
    """The cause that a node's message tells, and the message for the caller, without its tag."""
    tag = TAG.match(message)
    if tag is not None:
        return CATEGORIES.get(tag[1], Cause.NODE_ERROR), message[tag.end() :]
    return next((cause for pattern, cause in TEXTS if pattern.search(message)), Cause.NODE_ERROR), message
