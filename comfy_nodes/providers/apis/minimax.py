"""MiniMax: Hailuo."""

from __future__ import annotations

from ..declaration import Auth, Poll, Provider, Route, Slot

PROVIDERS = (
    Provider(
        key="minimax_video",
        title="MiniMax",
        kind="video",
        base_url="https://api.minimax.io/v1",
        auth=Auth(env=(("MINIMAX_API_KEY",),)),
        routes=(
            Route(
                "/video_generation",
                slots=(
                    Slot("image", "first_frame_image", count=1),
                    Slot("image", "last_frame_image", first=1, count=1),
                ),
            ),
        ),
        poll=Poll(
            "/query/video_generation?task_id={id}",
            id="task_id",
            done=("Success",),
            failed=("Fail",),
            then="/files/retrieve?file_id={=file_id}",
            interval=5.0,
        ),
        ok=("base_resp.status_code", (0,)),
        results=("file.download_url",),
        errors=("base_resp.status_code", "base_resp.status_msg", "error.message"),
        moderation=r"\b102[67]\b|sensitive",
        quota=r"\b1008\b|\b2056\b|insufficient|balance",
        busy=r"\b10(02|39)\b",
        image_bytes=20 << 20,
        source="https://platform.minimax.io/docs/api-reference/video-generation-intro",
    ),
)
