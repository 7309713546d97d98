"""Midjourney through a gateway that speaks the midjourney-proxy protocol. There is no official API, so no address."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

PROVIDERS = (
    Provider(
        key="midjourney",
        title="Midjourney gateway",
        kind="image",
        base_url="",
        auth=Auth(env=(("MIDJOURNEY_API_KEY",),), header="mj-api-secret", value="{0}"),
        routes=(Route("/mj/submit/imagine", slots=(Slot("image", "base64Array.+"),)),),
        poll=Poll(
            "/mj/task/{id}/fetch",
            id="result",
            done=("SUCCESS",),
            failed=("FAILURE", "CANCEL"),
            progress="progress",
            interval=3.0,
        ),
        ok=("code", (1, 22)),
        results=("imageUrls.*.url", "imageUrl"),
        errors=("failReason", "description", "message", "error"),
        moderation=r"moderat|banned|sensitive|invalid.{0,10}prompt|block",
        quota=r"quota|insufficient|balance|subscription|out of (fast )?(hours|time)",
        busy=r"queue.{0,10}full",
        images=5,
        source="https://github.com/novicezk/midjourney-proxy",
    ),
)
