"""xAI: Grok Imagine."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

AUTH = Auth(env=(("XAI_API_KEY",),))
BASE = "https://api.x.ai/v1"
PICTURE = {"type": "image_url", "url": "$"}

PROVIDERS = (
    Provider(
        key="xai_image",
        title="xAI images",
        kind="image",
        base_url=BASE,
        auth=AUTH,
        routes=(
            Route("/images/edits", needs=("image",), slots=(Slot("image", "image", wrap=PICTURE, several="images.+"),)),
            Route("/images/generations"),
        ),
        results=("data.*.b64_json", "data.*.url"),
        refused=("data.*.respect_moderation",),
        images=3,
        source="https://docs.x.ai/developers/model-capabilities/images",
    ),
    Provider(
        key="xai_video",
        title="xAI video",
        kind="video",
        base_url=BASE,
        auth=AUTH,
        routes=(
            Route("/videos/edits", needs=("video",), slots=(Slot("video", "video", wrap={"url": "$"}, count=1),)),
            Route(
                "/videos/generations",
                slots=(Slot("image", "image", wrap={"url": "$"}, several="reference_images.+"),),
            ),
        ),
        poll=Poll("/videos/{id}", id="request_id", done=("done",), failed=("failed", "expired"), interval=5.0),
        results=("video.url",),
        refused=("video.respect_moderation", "block_reason"),
        source="https://docs.x.ai/developers/model-capabilities/video/generation",
    ),
)
