"""Kling."""

from __future__ import annotations

from dataclasses import replace

from ..declaration import Auth, Poll, Provider, Route, Slot
from ..jwt import signed


def poll(path: str) -> Poll:
    """Every operation is asked after under its own path."""
    return Poll(
        f"{path}/{{id}}",
        id="data.task_id",
        state="data.task_status",
        done=("succeed",),
        failed=("failed",),
        interval=5.0,
    )


_of_a_pair = Provider(
    key="kling",
    title="Kling",
    kind="video",
    base_url="https://api-singapore.klingai.com/v1",
    auth=Auth(
        env=(("KLING_ACCESS_KEY", "KLINGAI_ACCESS_KEY"), ("KLING_SECRET_KEY", "KLINGAI_SECRET_KEY")), sign=signed
    ),
    model="model_name",
    routes=(
        Route(
            "/videos/omni-video",
            models=r".*(omni|video-o1).*",
            slots=(Slot("image", "image_list.+", form="base64", wrap={"image_url": "$"}),),
            poll=poll("/videos/omni-video"),
        ),
        Route(
            "/videos/image2video",
            needs=("image",),
            slots=(
                Slot("image", "image", form="base64", count=1),
                Slot("image", "image_tail", form="base64", first=1, count=1),
            ),
            poll=poll("/videos/image2video"),
        ),
        Route("/videos/text2video", poll=poll("/videos/text2video")),
    ),
    ok=("code", (0,)),
    results=("data.task_result.videos.*.url",),
    errors=("data.task_status_msg", "code", "message"),
    moderation=r"\b1301\b|risk control|sensitive|moderat|content.?(policy|security)",
    quota=r"\b110[0-2]\b|balance not enough|arrear",
    source="https://app.klingai.com/global/dev/document-api",
)

PROVIDERS = (
    # one key since July 2026; accounts from before have a pair that signs tokens
    replace(
        _of_a_pair,
        auth=Auth(env=(("KLING_API_KEY", "KLINGAI_API_KEY"),)),
        source="https://kling.ai/document-api/guides/get-started/quick-start",
        otherwise=_of_a_pair,
    ),
)
