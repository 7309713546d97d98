"""Black Forest Labs: FLUX, each model an endpoint of its own."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

PROVIDERS = (
    Provider(
        key="bfl",
        title="Black Forest Labs",
        kind="image",
        base_url="https://api.bfl.ai/v1",
        auth=Auth(env=(("BFL_API_KEY",),), header="x-key", value="{0}"),
        hosts=("*.bfl.ai",),
        routes=(
            Route(
                "/{model}",
                models=r".*(fill|expand).*",
                slots=(
                    Slot("image", "image", form="base64", count=1),
                    Slot("mask", "mask", form="base64", count=1),
                ),
            ),
            Route(
                "/{model}",
                models=r".*ultra.*|flux-pro-1\.1|flux-dev",
                slots=(Slot("image", "image_prompt", form="base64", count=1),),
            ),
            Route(
                "/{model}",
                slots=(
                    Slot("image", "input_image", form="base64", count=1),
                    Slot("image", "input_image_#", form="base64", first=1),
                ),
            ),
        ),
        poll=Poll(
            "=polling_url",
            done=("Ready",),
            failed=("Error", "Failed", "Request Moderated", "Content Moderated", "Task not found"),
            progress="progress",
            interval=1.0,
        ),
        results=("result.sample",),
        errors=("detail.*.msg", "detail", "details", "error", "message"),
        moderation=r"moderated",
        images=10,
        image_bytes=20 << 20,
        source="https://docs.bfl.ai/api-reference",
    ),
)
