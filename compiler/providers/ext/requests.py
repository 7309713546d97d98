"""Request models of ext.systems, word for word from its OpenAPI document (components/schemas)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compiler.provider import Maybe, Request, Whole

Prompt = Annotated[str, Field(min_length=1, max_length=1000)]
NegativePrompt = Annotated[str, Field(max_length=1000)]
Seed = Annotated[Whole, Field(ge=0, le=4294967295)]
Side = Annotated[Whole, Field(ge=256, le=2048)]


class Lora(Request):
    """A LoRA adapter and how strongly it is applied."""

    id: str
    """LoRA adapter identifier: a row of the asset table, or a file of that name in the target's loras folder."""
    strength: Annotated[float, Field(ge=0, le=2)]
    """Multiplier, 0–2; 0 has no effect."""


class _Create(Request):
    negative_prompt: Maybe[NegativePrompt] = None
    """Text describing what to exclude."""
    seed: Maybe[Seed] = None
    """Seed for reproducible generation. Random if omitted."""
    width: Maybe[Side] = None
    """Pixels."""
    height: Maybe[Side] = None
    """Pixels."""
    file_id: Maybe[str] = None
    """Input image file ID from POST /api/v1/files."""
    loras: Maybe[list[Lora]] = None
    """Optional LoRA adapters to apply, in this order."""
    callback_url: Maybe[str] = None
    """Webhook URL to receive COMPLETED, FAILED or CANCELLED."""
    callback_api_key: Maybe[str] = None
    """Bearer token sent with webhook requests."""


class CreateImageRequest(_Create):
    """POST /api/v1/img"""

    model: Literal["wan22-t2i", "illustrious-hentai-rx", "qwen-edit-advanced"]
    """The image generation model to use. qwen-edit-advanced requires a file_id."""
    prompt: Prompt
    """Text prompt describing the image to generate or the edit to apply."""
    instruction: Maybe[str] = None
    """Custom editing instruction for qwen-edit-advanced."""
    target_size: Maybe[Annotated[Whole, Field(ge=256, le=2048)]] = None
    """Pixels: the side of the square of the same area as the result; qwen-edit-advanced, default 1024."""
    target_vl_size: Maybe[Annotated[Whole, Field(ge=128, le=1024)]] = None
    """Pixels: the same for the picture that the language model sees; qwen-edit-advanced, default 384."""
    upscale_method: Maybe[str] = None
    """For qwen-edit-advanced: lanczos, nearest, bilinear, bicubic."""
    crop_method: Maybe[str] = None
    """For qwen-edit-advanced: pad, center, or random."""


class CreateVideoRequest(_Create):
    """POST /api/v1/video"""

    model: Literal["wan22-t2v", "wan22-i2v"]
    """wan22-t2v for text-to-video, wan22-i2v for image-to-video."""
    prompt: Prompt
    """Text prompt describing the video to generate."""
    duration: Annotated[Whole, Field(ge=1, le=6)]
    """Video duration in seconds (1-6)."""
    end_frame_file_id: Maybe[str] = None
    """End frame image; with `loop`, the turning point of the loop."""
    loop: Maybe[bool] = None
    """Generate looping video."""
