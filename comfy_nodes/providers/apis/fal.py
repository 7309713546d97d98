"""fal: any application of its queue, by the id in the payload's `model`."""

from __future__ import annotations

from dataclasses import replace

from ..declaration import Auth, Poll, Provider, Route, Slot

_image = Provider(
    key="fal",
    title="fal",
    kind="image",
    base_url="https://queue.fal.run",
    auth=Auth(env=(("FAL_KEY", "FAL_API_KEY"),), value="Key {0}"),
    routes=(
        Route(
            "/{model}",
            slots=(
                Slot("image", "image_url", several="image_urls.+"),
                Slot("mask", "mask_url", count=1),
                Slot("video", "video_url", count=1),
            ),
        ),
    ),
    poll=Poll(
        "=status_url",
        id="request_id",
        done=("COMPLETED",),
        failed=("FAILED", "CANCELED", "CANCELLED", "ERROR"),
        then="=response_url",
        interval=1.0,
    ),
    results=(
        "images.*.url",
        "image.url",
        "images.*",
        "image",
        "image_url",
        "output.images.*.url",
        "output.image.url",
        "output.url",
    ),
    errors=("detail.*.type", "detail.*.msg", "detail", "error_type", "error", "message"),
    source="https://fal.ai/docs/documentation/model-apis/inference/queue",
)

PROVIDERS = (
    _image,
    replace(
        _image,
        kind="video",
        poll=replace(_image.poll, interval=3.0) if _image.poll else None,
        results=("video.url", "videos.*.url", "video", "video_url", "output.video.url", "output.url"),
    ),
)
