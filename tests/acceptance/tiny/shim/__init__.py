"""A custom node folder for tests only: while ComfyUI has it, the model classes that our stacks use are small.

ComfyUI reads some sizes of a model from its file (depth and width of Wan's transformer) and knows others by heart (text
encoders, Qwen-Image's width, VAEs). The latter are replaced here, so that files of a few megabytes load and run through
ComfyUI's own loaders and nodes. Real weights do not load beside it. make_weights.py imports it for the same sizes.

Seen to work with ComfyUI 0.3.64 and 0.8.0.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

import comfy.clip_model
import comfy.ldm.modules.diffusionmodules.model
import comfy.ldm.modules.diffusionmodules.openaimodel
import comfy.ldm.qwen_image.model
import comfy.ldm.wan.vae
import comfy.ldm.wan.vae2_2
import comfy.model_detection
import comfy.sd1_clip
import comfy.text_encoders.qwen_vl

NODE_CLASS_MAPPINGS: dict[str, type] = {}

CLIP = {"num_hidden_layers": 3, "intermediate_size": 64}
"""Three layers: SDXL takes the last but one, and ComfyUI asserts that there are more than two."""
TEXT_ENCODERS = {
    "clip_l": CLIP,
    "clip_g": CLIP,
    "umt5xxl": {"num_layers": 2, "num_heads": 2, "d_ff": 64, "vocab_size": 512},
    "qwen25_7b": {
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "intermediate_size": 64,
        "vocab_size": 2048,
    },
}
"""By the name that ComfyUI has for them. What comes out is as wide as ever: the transformers expect that."""
CLIP_WORDS = 2048

UNET = {
    "model_channels": 64,
    "transformer_depth": (0, 0, 1, 1, 1, 1),
    "transformer_depth_output": (0, 0, 0, 1, 1, 1, 1, 1, 1),
    "transformer_depth_middle": 1,
}
SDXL = {"model_channels": 320, "transformer_depth": [0, 0, 2, 2, 10, 10]}
"""By what ComfyUI tells an SDXL UNet from others."""


def with_sizes(owner: type, **sizes: Any) -> None:
    """From now on every object of the class is made with these arguments."""
    init = owner.__init__

    @wraps(init)
    def sized(self: Any, *args: Any, **given: Any) -> None:
        fresh = {name: list(size) if isinstance(size, tuple) else size for name, size in sizes.items()}
        init(self, *args, **{**given, **fresh})

    owner.__init__ = sized


def shrink_text_encoders() -> None:
    """Sizes go in through ComfyUI's own `<name>_model_config`; word numbers wrap round the small vocabularies."""
    owner = comfy.sd1_clip.SDClipModel
    init = owner.__init__
    sizes = {f"{name}_model_config": config for name, config in TEXT_ENCODERS.items()}

    @wraps(init)
    def sized(self: Any, *args: Any, **given: Any) -> None:
        init(self, *args, **{**given, "model_options": {**given.get("model_options", {}), **sizes}})
        words = self.transformer.get_input_embeddings()
        words.register_forward_pre_hook(lambda table, taken: (taken[0] % table.num_embeddings, *taken[1:]))

    owner.__init__ = sized
    with_sizes(comfy.clip_model.CLIPEmbeddings, vocab_size=CLIP_WORDS)
    vision = comfy.text_encoders.qwen_vl.Qwen2VLVisionTransformer
    with_sizes(vision, hidden_size=128, intermediate_size=64, num_heads=2, num_layers=2)


def shrink_unet() -> None:
    """SDXL's UNet is found by its width and depth: detection is told the real ones, the class is given the small."""
    detect = comfy.model_detection.detect_unet_config

    @wraps(detect)
    def detected(*args: Any, **given: Any) -> Any:
        found = detect(*args, **given)
        return {**found, **SDXL} if found and "model_channels" in found else found

    comfy.model_detection.detect_unet_config = detected
    with_sizes(comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel, **UNET)


def shrink_vaes() -> None:
    with_sizes(comfy.ldm.modules.diffusionmodules.model.Encoder, ch=32)
    with_sizes(comfy.ldm.modules.diffusionmodules.model.Decoder, ch=32)
    with_sizes(comfy.ldm.wan.vae.WanVAE, dim=16)
    with_sizes(comfy.ldm.wan.vae2_2.WanVAE, dim=16, dec_dim=16)


shrink_text_encoders()
shrink_unet()
shrink_vaes()
with_sizes(comfy.ldm.qwen_image.model.QwenImageTransformer2DModel, num_attention_heads=2)
