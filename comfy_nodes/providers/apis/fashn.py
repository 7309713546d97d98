"""FASHN: try-on and other fashion models, by the payload's `model_name`."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

PROVIDERS = (
    Provider(
        key="fashn",
        title="FASHN",
        kind="image",
        base_url="https://api.fashn.ai/v1",
        auth=Auth(env=(("FASHN_API_KEY",),)),
        model="model_name",
        routes=(
            Route(
                "/run",
                models=r"tryon-max.*",
                slots=(
                    Slot("image", "inputs.model_image", count=1),
                    Slot("image", "inputs.product_image", first=1, count=1),
                ),
            ),
            Route(
                "/run",
                models=r"tryon.*",
                slots=(
                    Slot("image", "inputs.model_image", count=1),
                    Slot("image", "inputs.garment_image", first=1, count=1),
                ),
            ),
            Route(
                "/run",
                models=r"product-to-model.*",
                slots=(
                    Slot("image", "inputs.product_image", count=1),
                    Slot("image", "inputs.model_image", first=1, count=1),
                ),
            ),
            Route("/run", models=r"face-to-model.*", slots=(Slot("image", "inputs.face_image", count=1),)),
            Route("/run", models=r"model-create.*", slots=(Slot("image", "inputs.image_reference", count=1),)),
            Route("/run", models=r"model-.*", slots=(Slot("image", "inputs.model_image", count=1),)),
            Route("/run", slots=(Slot("image", "inputs.image", count=1), Slot("mask", "inputs.mask", count=1))),
        ),
        poll=Poll(
            "/status/{id}",
            done=("completed",),
            failed=("failed", "canceled", "time_out"),
        ),
        results=("output.*",),
        errors=("error.name", "error.message", "error", "message"),
        source="https://docs.fashn.ai/api-overview/api-fundamentals",
    ),
)
