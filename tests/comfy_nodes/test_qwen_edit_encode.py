"""The node as a whole, with a text encoder and a VAE that record what they are given."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from comfy_nodes import NODE_CLASS_MAPPINGS  # noqa: E402 - needs torch

OWN = "<|im_start|>system\nits own<|im_end|>\n<|im_start|>user\n<|image_pad|>{}<|im_end|>"
DEFAULTS = {
    "negative_prompt": "blur",
    "instruction": "",
    "target_size": 128,
    "target_vl_size": 64,
    "upscale_method": "bilinear",
    "crop_method": "pad",
    "seed": 0,
}


class Encoder:
    """Tokens are words; a picture stands where its marker is. What is encoded is kept."""

    def __init__(self, sees: bool = True) -> None:
        self.sees, self.asked = sees, []

    def tokenize(self, text: str, images: Any = (), llama_template: str | None = None) -> dict[str, Any]:
        if not self.sees:
            return {"l": [[(1, 1.0), (2, 1.0)]]}
        words = (llama_template or OWN).format(text).replace("<|", " <|").replace("|>", "|> ").split()
        waiting = iter(images)
        row: list[Any] = []
        for word in words:
            picture = next(waiting, None) if word == "<|image_pad|>" else None
            row.append(({"type": "image", "data": picture}, 1.0) if picture is not None else (word, 1.0))
        return {"qwen25_7b": [row]}

    def encode_from_tokens_scheduled(self, tokens: dict[str, Any]) -> list[list[Any]]:
        row = [token for token, _ in tokens["qwen25_7b"][0]]
        self.asked.append(row)
        return [[torch.full((1, 4, 8), float(len(self.asked))), {"mask": torch.ones(1, 4), "pooled_output": None}]]


class Vae:
    """A video VAE: a batch is the frames of one video, as in ComfyUI."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def encode(self, pixels: Any) -> Any:
        self.given.append(pixels)
        frames, height, width, _ = pixels.shape
        return pixels.mean().expand(1, 16, (frames - 1) // 4 + 1, height // 8, width // 8)


def words(row: list[Any]) -> str:
    return " ".join(token if isinstance(token, str) else "[picture]" for token in row)


def pictures(row: list[Any]) -> list[Any]:
    return [token["data"] for token in row if not isinstance(token, str)]


def run(clip: Encoder, vae: Vae, image1: Any, **inputs: Any) -> tuple[Any, ...]:
    node = NODE_CLASS_MAPPINGS["ComfycQwenEditEncode"]()
    given = {**DEFAULTS, "prompt": "make it night", "image1": image1, **inputs}
    return getattr(node, node.FUNCTION)(clip=clip, vae=vae, **given)


def test_one_picture() -> None:
    clip, vae = Encoder(), Vae()
    positive, negative, latent, x, y, width, height = run(clip, vae, torch.rand(1, 90, 160, 3))
    assert [tuple(given.shape) for given in vae.given] == [(1, 96, 176, 3)]
    assert latent["samples"].shape == (1, 16, 1, 12, 22)
    assert (x, y, width, height) == (2, 0, 171, 96)
    assert positive[0][1]["reference_latents"][0] is latent["samples"]
    assert negative[0][1]["reference_latents"][0] is latent["samples"]
    assert [words(row).split("user ")[1] for row in clip.asked] == [
        "Picture 1: <|vision_start|> [picture] <|vision_end|> make it night <|im_end|> <|im_start|> assistant",
        "Picture 1: <|vision_start|> [picture] <|vision_end|> blur <|im_end|> <|im_start|> assistant",
    ]
    assert pictures(clip.asked[0])[0].shape == (1, 48, 85, 3)


def test_the_instruction_replaces_the_encoders_own() -> None:
    for instruction, expected in (("", "its own"), (" ", "its own"), ("Paint {it}.", "Paint {it}.")):
        clip = Encoder()
        run(clip, Vae(), torch.rand(1, 32, 32, 3), instruction=instruction)
        assert [words(row).startswith(f"<|im_start|> system {expected} <|im_end|>") for row in clip.asked] == [True] * 2


def test_more_pictures_are_references_with_sizes_of_their_own() -> None:
    clip, vae = Encoder(), Vae()
    second, third = torch.rand(1, 300, 30, 4), torch.rand(1, 64, 64, 3)
    positive, _, latent, *_ = run(clip, vae, torch.rand(1, 90, 160, 3), image2=second, image3=third)
    shapes = [tuple(one.shape[-2:]) for one in positive[0][1]["reference_latents"]]
    assert shapes == [(12, 22), (52, 6), (16, 16)]
    assert latent["samples"].shape[-2:] == (12, 22)
    assert words(clip.asked[0]).count("[picture]") == 3
    assert "Picture 3:" in words(clip.asked[0])


def test_a_picture_may_be_missing_in_the_middle() -> None:
    clip, vae = Encoder(), Vae()
    positive, *_ = run(clip, vae, torch.rand(1, 32, 32, 3), image3=torch.rand(1, 16, 16, 3))
    assert len(positive[0][1]["reference_latents"]) == 2
    assert "Picture 2:" in words(clip.asked[0])


def test_a_batch_is_a_batch_of_edits() -> None:
    clip, vae = Encoder(), Vae()
    batch = torch.stack([torch.full((32, 32, 3), level) for level in (0.1, 0.5, 0.9)])
    positive, negative, latent, *_ = run(clip, vae, batch, image2=torch.rand(2, 32, 32, 3))
    assert latent["samples"].shape == (3, 16, 1, 16, 16)
    assert torch.allclose(latent["samples"][:, 0, 0, 0, 0], torch.tensor([0.1, 0.5, 0.9]), atol=1e-5)
    assert positive[0][0].shape == negative[0][0].shape == (3, 4, 8)
    assert [row.mean() for row in positive[0][0]] == [1, 2, 3]
    assert positive[0][1]["mask"].shape == (3, 4)
    assert [tuple(one.shape[:1]) for one in positive[0][1]["reference_latents"]] == [(3,), (3,)]
    assert [pictures(row)[0].mean() for row in clip.asked[:3]] == pytest.approx([0.1, 0.5, 0.9])


def test_a_crop_fills_the_canvas_and_the_seed_moves_it() -> None:
    picture = torch.linspace(0, 1, 500)[None, None, :, None].expand(1, 50, 500, 3)
    means = set()
    for seed in (1, 2, 3):
        vae = Vae()
        _, _, latent, x, y, width, height = run(
            Encoder(), vae, picture, crop_method="random", seed=seed << 20, target_size=90
        )
        assert (x, y, width, height) == (0, 0, vae.given[0].shape[2], vae.given[0].shape[1])
        means.add(round(float(latent["samples"].mean()), 4))
    assert len(means) > 1


def test_an_encoder_without_eyes_is_refused() -> None:
    with pytest.raises(ValueError, match="qwen_image"):
        run(Encoder(sees=False), Vae(), torch.rand(1, 32, 32, 3))
