"""Topaz Labs: enhancing pictures."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

GENERATIVE = r"(?i)(redefine|recovery.*|standard max|wonder.*|bloom.*|reimagine|super focus.*)"
IMAGE = (Slot("image", "image", count=1),)

PROVIDERS = (
    Provider(
        key="topaz",
        title="Topaz Labs",
        kind="image",
        base_url="https://api.topazlabs.com/image/v1",
        auth=Auth(env=(("TOPAZ_API_KEY",),), header="X-API-Key", value="{0}"),
        routes=(
            Route("/enhance-gen/async", models=GENERATIVE, needs=("image",), multipart=True, slots=IMAGE),
            Route("/enhance/async", needs=("image",), multipart=True, slots=IMAGE),
        ),
        poll=Poll(
            "/status/{id}",
            id="process_id",
            done=("Completed",),
            failed=("Failed", "Cancelled"),
            progress="progress",
            then="/download/{id}",
        ),
        results=("download_url",),
        errors=("error", "message", "detail", "status"),
        images=1,
        image_bytes=100 << 20,
        source="https://developer.topazlabs.com/getting-started/request-parameters/image",
    ),
)
