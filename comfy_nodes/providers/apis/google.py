"""Google: Imagen, Gemini's image models and Veo, over Vertex AI or the Gemini API."""

from __future__ import annotations

from dataclasses import replace

from ..declaration import Auth, Poll, Provider, Route, Slot
from ..google_token import default_token

KEY = Auth(env=(("GEMINI_API_KEY", "GOOGLE_API_KEY"),), header="x-goog-api-key", value="{0}")
TOKEN = Auth(env=(("GOOGLE_ACCESS_TOKEN",),), token=default_token)
GEMINI = "https://generativelanguage.googleapis.com/v1beta"
VERTEX = "https://{location}-aiplatform.googleapis.com/v1/projects/{project}/locations/{location}/publishers/google"
PLACE = {"project": ("GOOGLE_CLOUD_PROJECT", ""), "location": ("GOOGLE_CLOUD_LOCATION", "us-central1")}

PICTURE = {"bytesBase64Encoded": "$", "mimeType": "$mime"}
REFUSED = ("promptFeedback.blockReason", "candidates.*.finishReason", "predictions.*.raiFilteredReason")
HARMLESS = ("STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED")
ERRORS = ("error.status", "error.message")
QUOTA = r"billing.{0,30}(disabled|not|enable)|prepayment|limit: 0\b"
"""RESOURCE_EXHAUSTED is also said of calls a minute."""

ENDED = "Google has announced its end for 2026-08-17: take `google_gemini`"

_imagen = Provider(
    key="google_imagen",
    title="Google Imagen",
    kind="image",
    base_url=VERTEX,
    auth=TOKEN,
    variables=PLACE,
    routes=(Route("/models/{model}:predict"),),
    results=("predictions.*.bytesBase64Encoded",),
    errors=ERRORS,
    refused=REFUSED,
    quota=QUOTA,
    source="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api",
    note=ENDED,
    otherwise=Provider(
        key="google_imagen",
        title="Google Imagen",
        kind="image",
        base_url=GEMINI,
        auth=KEY,
        routes=(Route("/models/{model}:predict"),),
        results=("predictions.*.bytesBase64Encoded",),
        errors=ERRORS,
        refused=REFUSED,
        quota=QUOTA,
        source="https://ai.google.dev/gemini-api/docs/imagen",
        note=ENDED,
    ),
)

_gemini = Provider(
    key="google_gemini",
    title="Google Gemini",
    kind="image",
    base_url=GEMINI,
    auth=KEY,
    routes=(
        Route(
            "/models/{model}:generateContent",
            slots=(
                Slot(
                    "image",
                    "contents.0.parts.+",
                    form="base64",
                    wrap={"inlineData": {"mimeType": "$mime", "data": "$"}},
                ),
            ),
        ),
    ),
    results=("candidates.*.content.parts.*.inlineData.data", "candidates.*.content.parts.*.inline_data.data"),
    errors=ERRORS,
    refused=REFUSED,
    harmless=HARMLESS,
    quota=QUOTA,
    images=14,
    source="https://ai.google.dev/gemini-api/docs/image-generation",
)

_FRAMES = (
    Slot("image", "instances.0.image", form="base64", wrap=PICTURE, count=1),
    Slot("image", "instances.0.lastFrame", form="base64", wrap=PICTURE, first=1, count=1),
)


def veo(clip: dict[str, str]) -> tuple[Route, ...]:
    """The one operation of Veo, with a video written in that way."""
    slots = (*_FRAMES, Slot("video", "instances.0.video", form="base64", wrap=clip, count=1))
    return (Route("/models/{model}:predictLongRunning", slots=slots),)


_veo = Provider(
    key="google_veo",
    title="Google Veo",
    kind="video",
    base_url=GEMINI,
    auth=KEY,
    routes=veo({"encodedVideo": "$", "encoding": "$mime"}),
    poll=Poll("/{id}", id="name", state="done", done=("True",), interval=5.0),
    results=("response.generateVideoResponse.generatedSamples.*.video.uri",),
    errors=ERRORS,
    refused=("response.generateVideoResponse.raiMediaFilteredReasons.*",),
    failed_by=("error.message",),
    quota=QUOTA,
    source="https://ai.google.dev/gemini-api/docs/video",
)

PROVIDERS = (
    _imagen,
    replace(
        _gemini,
        otherwise=replace(
            _gemini,
            base_url=VERTEX,
            auth=TOKEN,
            variables=PLACE,
            source="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
        ),
    ),
    replace(
        _veo,
        routes=veo(PICTURE),
        base_url=VERTEX,
        auth=TOKEN,
        variables=PLACE,
        poll=Poll(
            "/models/{model}:fetchPredictOperation",
            id="name",
            state="done",
            done=("True",),
            body={"operationName": "$"},
            interval=5.0,
        ),
        results=("response.videos.*.bytesBase64Encoded",),
        refused=("response.raiMediaFilteredReasons.*",),
        source="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation",
        otherwise=_veo,
    ),
)
