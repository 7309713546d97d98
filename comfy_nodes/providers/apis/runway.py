"""Runway."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot


def frame(position: str) -> dict[str, str]:
    """A frame among several."""
    return {"uri": "$", "position": position}


PROVIDERS = (
    Provider(
        key="runway",
        title="Runway",
        kind="video",
        base_url="https://api.dev.runwayml.com/v1",
        auth=Auth(env=(("RUNWAYML_API_SECRET", "RUNWAY_API_KEY"),)),
        headers={"X-Runway-Version": "2024-11-06"},
        routes=(
            Route(
                "/video_to_video",
                needs=("video",),
                slots=(
                    Slot("video", "videoUri", count=1),
                    Slot("image", "references.+", wrap={"type": "image", "uri": "$"}, count=1),
                ),
            ),
            Route(
                "/image_to_video",
                needs=("image",),
                slots=(
                    Slot("image", "promptImage.+", wrap=frame("first"), count=1),
                    Slot("image", "promptImage.+", wrap=frame("last"), first=1, count=1),
                ),
            ),
            Route("/text_to_video"),
        ),
        poll=Poll(
            "/tasks/{id}", done=("SUCCEEDED",), failed=("FAILED", "CANCELLED"), progress="progress", interval=5.0
        ),
        results=("output.*",),
        errors=("failureCode", "failure", "error", "message"),
        image_bytes=3_300_000,
        source="https://docs.dev.runwayml.com/api/",
    ),
)
