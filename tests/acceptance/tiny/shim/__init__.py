"""A custom node folder for tests only: while ComfyUI has it, the model classes that our stacks use are small.

ComfyUI reads some sizes of a model from its file (depth and width of Wan's transformer) and knows others by heart (text
encoders, Qwen-Image's width, VAEs). The latter are replaced here, so that files of a few megabytes load and run through
ComfyUI's own loaders and nodes. Real weights do not load beside it. make_weights.py imports it for the same sizes.

Seen to work with ComfyUI 0.3.64 and 0.8.0.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any

import comfy.cldm.cldm
import comfy.clip_model
import comfy.clip_vision
import comfy.ldm.flux.model
import comfy.ldm.flux.redux
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
    "t5xxl": {"num_layers": 2, "num_heads": 2, "d_ff": 64, "vocab_size": 512},
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
KNOWN_BY = {
    1024: {"num_heads": -1, "num_head_channels": 64},  # Lotus; of its published file's names ComfyUI knows it by heart
    2048: {"transformer_depth": [0, 0, 2, 2, 10, 10]},  # SDXL
}
"""Width of the text → what detection finds of the real UNet, beside a width of 320."""
FLUX = {"hidden_size": 256, "num_heads": 2}
VISION = {"hidden_size": 128, "intermediate_size": 64}
REDUX_WIDTH = 64


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
    """UNets are found by their width, SDXL's by its depth, too: detection is told the real ones, the classes are given
    the small."""
    detect = comfy.model_detection.detect_unet_config

    @wraps(detect)
    def detected(*args: Any, **given: Any) -> Any:
        found = detect(*args, **given)
        if not found or "model_channels" not in found:
            return found
        return {**found, "model_channels": 320, **KNOWN_BY.get(found.get("context_dim"), {})}

    comfy.model_detection.detect_unet_config = detected
    with_sizes(comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel, **UNET)
    without_output = {name: size for name, size in UNET.items() if name != "transformer_depth_output"}
    with_sizes(comfy.cldm.cldm.ControlNet, **without_output)


def shrink_vaes() -> None:
    with_sizes(comfy.ldm.modules.diffusionmodules.model.Encoder, ch=32)
    with_sizes(comfy.ldm.modules.diffusionmodules.model.Decoder, ch=32)
    with_sizes(comfy.ldm.wan.vae.WanVAE, dim=16)
    with_sizes(comfy.ldm.wan.vae2_2.WanVAE, dim=16, dec_dim=16)


def shrink_vision() -> None:
    """Image encoders keep their number of layers, for they are known by it. SigLIP is known by the width of its first
    norm as well: its file has that norm in full, which is cut here."""
    owner = comfy.clip_model.CLIPVisionModelProjection
    init = owner.__init__

    @wraps(init)
    def sized(self: Any, config: dict[str, Any], *args: Any, **given: Any) -> None:
        init(self, {**config, **VISION}, *args, **given)

    owner.__init__ = sized
    load = comfy.clip_vision.ClipVisionModel.load_sd

    @wraps(load)
    def cut(self: Any, given: dict[str, Any]) -> Any:
        norm = "vision_model.encoder.layers.0.layer_norm1.weight"
        return load(self, {**given, norm: given[norm][: VISION["hidden_size"]]} if norm in given else given)

    comfy.clip_vision.ClipVisionModel.load_sd = cut


def shrink_flux() -> None:
    """The transformer (and with it its ControlNet), and what gives it pictures: Redux, USO's projector."""
    with_sizes(comfy.ldm.flux.model.Flux, **FLUX)
    owner = comfy.ldm.flux.redux.ReduxImageEncoder
    init = owner.__init__

    @wraps(init)
    def sized(self: Any, *args: Any, **given: Any) -> None:
        init(self, *args, **given)
        linear, text = type(self.redux_up), self.redux_down.out_features
        self.redux_up = linear(VISION["hidden_size"], REDUX_WIDTH, dtype=given.get("dtype"))
        self.redux_down = linear(REDUX_WIDTH, text, dtype=given.get("dtype"))

    owner.__init__ = sized
    for module in [*sys.modules.values()]:  # a module of nodes, under whatever name ComfyUI loaded it
        projector = module.__dict__.get("SigLIPMultiFeatProjModel") if "nodes_model_patch" in str(module) else None
        if projector is not None:
            with_sizes(projector, siglip_token_dims=VISION["hidden_size"], hidden_size=FLUX["hidden_size"])


shrink_text_encoders()
shrink_unet()
shrink_vision()
shrink_flux()
shrink_vaes()
with_sizes(comfy.ldm.qwen_image.model.QwenImageTransformer2DModel, num_attention_heads=2)
