"""Alibaba Cloud Model Studio (DashScope): Wan."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

ASYNC = {"X-DashScope-Async": "enable"}
SYNTHESIS = "/services/aigc/video-generation/video-synthesis"


def listed(kind: str, first: int = 0, count: int | None = None) -> Slot:
    """Wan 2.7 and newer take all their media as one list."""
    return Slot("image", "input.media.+", wrap={"type": kind, "url": "$"}, first=first, count=count)


PROVIDERS = (
    Provider(
        key="wan_video",
        title="Wan (DashScope)",
        kind="video",
        base_url="https://dashscope-intl.aliyuncs.com/api/v1",
        auth=Auth(env=(("DASHSCOPE_API_KEY",),)),
        routes=(
            Route(
                "/services/aigc/image2video/video-synthesis",
                models=r".*kf2v.*",
                headers=ASYNC,
                slots=(
                    Slot("image", "input.first_frame_url", count=1),
                    Slot("image", "input.last_frame_url", first=1, count=1),
                ),
            ),
            Route(SYNTHESIS, models=r"wan2\.[7-9].*r2v.*", headers=ASYNC, slots=(listed("reference_image"),)),
            Route(
                SYNTHESIS,
                models=r"wan2\.[7-9].*",
                headers=ASYNC,
                slots=(listed("first_frame", count=1), listed("last_frame", first=1, count=1)),
            ),
            Route(SYNTHESIS, headers=ASYNC, slots=(Slot("image", "input.img_url", count=1),)),
        ),
        poll=Poll(
            "/tasks/{id}",
            id="output.task_id",
            state="output.task_status",
            done=("SUCCEEDED",),
            failed=("FAILED", "CANCELED", "UNKNOWN"),
            interval=5.0,
        ),
        results=("output.video_url", "output.results.*.url"),
        errors=("output.code", "output.message", "code", "message"),
        moderation=r"DataInspectionFailed|inappropriate|green net|moderat",
        quota=r"Arrearage|FreeTierOnly|balance",
        source="https://www.alibabacloud.com/help/en/model-studio/text-to-video-api-reference",
    ),
)
