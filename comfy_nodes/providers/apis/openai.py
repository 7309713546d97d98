"""OpenAI: images and Sora."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

AUTH = Auth(env=(("OPENAI_API_KEY",),))
QUOTA = r"insufficient_quota|billing_hard_limit|billing_not_active|exceeded your current quota"

PROVIDERS = (
    Provider(
        key="openai_image",
        title="OpenAI images",
        kind="image",
        base_url="https://api.openai.com/v1",
        auth=AUTH,
        routes=(
            Route(
                "/images/edits",
                needs=("image",),
                multipart=True,
                slots=(Slot("image", "image", several="image[]"), Slot("mask", "mask", count=1)),
            ),
            Route("/images/generations"),
        ),
        results=("data.*.b64_json", "data.*.url"),
        image_bytes=50 << 20,
        mask_alpha=True,
        quota=QUOTA,
        source="https://platform.openai.com/docs/api-reference/images",
    ),
    Provider(
        key="openai_sora",
        title="OpenAI Sora",
        kind="video",
        base_url="https://api.openai.com/v1",
        auth=AUTH,
        routes=(
            Route(
                "/videos",
                multipart=True,
                slots=(Slot("image", "input_reference", count=1),),
            ),
        ),
        poll=Poll(
            "/videos/{id}",
            done=("completed",),
            failed=("failed", "cancelled", "expired"),
            progress="progress",
            then="/videos/{id}/content",
            interval=5.0,
        ),
        results=("url",),
        quota=QUOTA,
        source="https://platform.openai.com/docs/api-reference/videos",
        note="OpenAI has announced its end for 2026-09-24; gateways that speak like it take another base URL",
    ),
)
