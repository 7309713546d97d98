"""ByteDance's Ark (ModelArk, Volcengine): Seedream, SeedEdit, Seedance."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

AUTH = Auth(env=(("ARK_API_KEY",),))
BASE = "https://ark.ap-southeast.bytepluses.com/api/v3"
QUOTA = r"overdue|SetLimitExceeded|QuotaExceeded|insufficient|balance"
FRAME = {"type": "image_url", "image_url": {"url": "$"}}

PROVIDERS = (
    Provider(
        key="bytedance_image",
        title="ByteDance images",
        kind="image",
        base_url=BASE,
        auth=AUTH,
        routes=(Route("/images/generations", slots=(Slot("image", "image", several="image.+"),)),),
        results=("data.*.b64_json", "data.*.url"),
        refused=("data.*.error.code",),
        quota=QUOTA,
        images=14,
        source="https://docs.byteplus.com/en/docs/ModelArk/1541523",
    ),
    Provider(
        key="bytedance_video",
        title="ByteDance video",
        kind="video",
        base_url=BASE,
        auth=AUTH,
        routes=(
            Route(
                "/contents/generations/tasks",
                slots=(
                    Slot("image", "content.+", wrap={**FRAME, "role": "first_frame"}, count=1),
                    Slot("image", "content.+", wrap={**FRAME, "role": "last_frame"}, first=1, count=1),
                ),
            ),
        ),
        poll=Poll(
            "/contents/generations/tasks/{id}",
            done=("succeeded",),
            failed=("failed", "cancelled", "expired"),
            interval=5.0,
        ),
        results=("content.video_url",),
        quota=QUOTA,
        source="https://docs.byteplus.com/en/docs/ModelArk/1520757",
    ),
)
