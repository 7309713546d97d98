"""Topaz Labs: enhancing pictures."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

OPERATIONS = {
    "enhance-gen": r"redefine|recovery.*|standard max|wonder.*|bloom.*|reimagine",
    "sharpen-gen": r"super focus.*",
    "sharpen": r"lens blur.*|motion blur.*|refocus.*|natural|portrait|wildlife",
    "denoise": r"normal|strong|extreme",
    "restore-gen": r"dust-scratch.*",
    "lighting": r"adjust.*|white balance|colorization",
    "enhance": r".*",
}
"""Path → the models that it has; the first that fits is taken."""
IMAGE = (Slot("image", "image", count=1),)

PROVIDERS = (
    Provider(
        key="topaz",
        title="Topaz Labs",
        kind="image",
        base_url="https://api.topazlabs.com/image/v1",
        auth=Auth(env=(("TOPAZ_API_KEY",),), header="X-API-Key", value="{0}"),
        routes=tuple(
            Route(f"/{path}/async", models=f"(?i:{names})", needs=("image",), multipart=True, slots=IMAGE)
            for path, names in OPERATIONS.items()
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
