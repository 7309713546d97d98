"""Tiny weights of the picture models: Stable Diffusion, FLUX, what guides them, and their VAEs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from tensors import Tensors, adapter, filled, matrices, plain

FEW_CHANNELS: Final = 4
"""Of a latent of SD 1.5 and SDXL."""
MANY_CHANNELS: Final = 16
"""Of a latent of SD 3.5 and FLUX."""
UNET: Final[dict[str, Any]] = {
    "image_size": 32,
    "in_channels": 4,
    "model_channels": 0,  # the shim's
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 1, 1],
    "use_spatial_transformer": True,
    "legacy": False,
}
HEADS: Final = {"num_head_channels": 64, "use_linear_in_transformer": True, "num_classes": "sequential"}
"""Beside that, of all that came after SD 1.5."""
FLUX: Final[dict[str, Any]] = {
    "out_channels": 16,
    "patch_size": 2,
    "vec_in_dim": 768,
    "context_in_dim": 4096,
    "hidden_size": 0,  # the shim's
    "mlp_ratio": 4.0,
    "num_heads": 0,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "qkv_bias": True,
    "guidance_embed": True,
}


# --- what several have -----------------------------------------------------------------------------------------


def unet(**sizes: Any) -> Tensors:
    """Of Stable Diffusion: `context_dim` 768 for 1.5, 1024 for Lotus, 2048 for SDXL."""
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    return filled(lambda: UNetModel(**UNET, out_channels=4, **{**HEADS, **sizes}, **plain()))


def picture_vae(channels: int, prefix: str = "") -> Tensors:
    """Stability's with its two convolutions about the latent, or as FLUX and SD 3.5 have it."""
    from comfy.ldm.models import autoencoder

    sizes = {"double_z": True, "z_channels": channels, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 0}
    layers = {"ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0}
    config = {**sizes, **layers}
    if channels == FEW_CHANNELS:
        return filled(lambda: autoencoder.AutoencoderKL(ddconfig=config, embed_dim=channels), prefix)
    parts = "comfy.ldm.modules.diffusionmodules.model"
    return filled(
        lambda: autoencoder.AutoencodingEngine(
            regularizer_config={"target": "comfy.ldm.models.autoencoder.DiagonalGaussianRegularizer"},
            encoder_config={"target": f"{parts}.Encoder", "params": config},
            decoder_config={"target": f"{parts}.Decoder", "params": config},
        ),
        prefix,
    )


def kohya(model: Tensors, part: str) -> Tensors:
    """A LoRA for a UNet's layers, named as kohya's scripts do."""
    made: Tensors = {}
    for layer, shape in matrices(model, part):
        made |= adapter("lora_unet_" + layer.replace(".", "_"), shape, "lora_down", "lora_up")
    return made


def transformer_lora(model: Tensors, part: str) -> Tensors:
    made: Tensors = {}
    for layer, shape in matrices(model, part):
        made |= adapter(f"diffusion_model.{layer}", shape, "lora_A", "lora_B")
    return made


def text_encoder(name: str) -> Tensors:
    """`clip_l` or `t5xxl`, alone. ComfyUI knows T5-XXL by a layer that the short one lacks: it is named, not loaded."""
    made = {
        title.removeprefix(f"{name}.transformer."): one
        for title, one in sd35_encoders().items()
        if title.startswith(f"{name}.transformer.")
    }
    mark = "encoder.block.23.layer.1.DenseReluDense.wi_1.weight"
    return {**made, mark: torch.zeros(1, 4096).half()} if name == "t5xxl" else made


def vision(config: str, layers: int, first_norm: int = 0) -> Tensors:
    """An image encoder. ComfyUI knows it by the number of its layers, SigLIP by the width of its first norm, too."""
    import json

    import comfy.clip_vision
    from comfy.clip_model import CLIPVisionModelProjection

    file = comfy.clip_vision.__file__.replace("clip_vision.py", config)
    with open(file) as text:
        facts = json.load(text)
    made = filled(lambda: CLIPVisionModelProjection(facts, torch.float16, "meta", plain()["operations"]))
    assert f"vision_model.encoder.layers.{layers - 1}.layer_norm1.weight" in made
    norm = "vision_model.encoder.layers.0.layer_norm1.weight"
    if first_norm:
        made[norm] = torch.cat([made[norm], torch.zeros(first_norm - made[norm].shape[0]).half()])
    return made


# --- families --------------------------------------------------------------------------------------------------


def sd15_unet() -> Tensors:
    return unet(context_dim=768, num_heads=8, num_head_channels=-1, use_linear_in_transformer=False, num_classes=None)


def sd15_checkpoint() -> Tensors:
    model = {f"model.diffusion_model.{name}": one for name, one in sd15_unet().items()}
    clip = {f"cond_stage_model.transformer.{name}": one for name, one in text_encoder("clip_l").items()}
    clip.pop("cond_stage_model.transformer.text_projection.weight", None)
    return {**model, **clip, **picture_vae(FEW_CHANNELS, "first_stage_model.")}


def sd35_transformer() -> Tensors:
    """Two blocks: ComfyUI reads the depth off the width, 64 for each."""
    from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper

    encoder = {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 128}}
    return filled(
        lambda: OpenAISignatureMMDITWrapper(
            input_size=None,
            patch_size=2,
            in_channels=16,
            out_channels=16,
            depth=2,
            adm_in_channels=2048,
            num_patches=64 * 64,
            pos_embed_max_size=64,
            qk_norm="rms",
            pos_embed_scaling_factor=None,
            context_embedder_config=encoder,
            device="meta",
            **plain(),
        )
    )


def sd35_encoders() -> Tensors:
    from comfy.text_encoders.sd3_clip import SD3ClipModel

    return filled(lambda: SD3ClipModel(device="meta", dtype=torch.float16, dtype_t5=torch.float16), skip="logit_scale")


def sd35_checkpoint() -> Tensors:
    model = {f"model.diffusion_model.{name}": one for name, one in sd35_transformer().items()}
    clip = {f"text_encoders.{name}": one for name, one in sd35_encoders().items()}
    return {**model, **clip, **picture_vae(MANY_CHANNELS, "first_stage_model.")}


def flux_sizes() -> dict[str, Any]:
    """FLUX's, with what newer ComfyUIs want besides."""
    from comfy.ldm.flux.model import FluxParams

    newer = {"txt_ids_dims": []}  # 0.8.0; the others' defaults are FLUX.1's
    return {**FLUX, **{name: value for name, value in newer.items() if name in FluxParams.__dataclass_fields__}}


def flux(in_channels: int = 16) -> Tensors:
    """FLUX.1 dev; 96 channels for Fill: noise, the masked picture and the mask."""
    from comfy.ldm.flux.model import Flux

    return filled(lambda: Flux(image_model="flux", in_channels=in_channels, **flux_sizes(), **plain()))


def flux_control() -> Tensors:
    """A ControlNet for FLUX under the names of diffusers, in which it is published."""
    from comfy.ldm.flux.controlnet import ControlNetFlux
    from comfy.utils import flux_to_diffusers

    made = filled(
        lambda: ControlNetFlux(latent_input=True, control_latent_channels=16, in_channels=16, **flux_sizes(), **plain())
    )
    width = made["img_in.bias"].shape[0]
    names = flux_to_diffusers({"depth": 1, "depth_single_blocks": 1, "hidden_size": width}, output_prefix="")
    renamed: Tensors = {}
    for name, ours in names.items():
        title, place = (ours, None) if isinstance(ours, str) else (ours[0], ours[1])
        if title in made:
            renamed[name] = made[title] if place is None else made[title].narrow(*place).clone()
    used = {ours if isinstance(ours, str) else ours[0] for ours in names.values()}
    return renamed | {name: one for name, one in made.items() if name not in used}


def sdxl_control() -> Tensors:
    from comfy.cldm.cldm import ControlNet

    sizes = {**HEADS, "context_dim": 2048, "adm_in_channels": 2816}
    return filled(lambda: ControlNet(**UNET, hint_channels=3, **sizes, **plain()))


def sd15_control() -> Tensors:
    from comfy.cldm.cldm import ControlNet

    return filled(lambda: ControlNet(**UNET, hint_channels=3, num_heads=8, context_dim=768, **plain()))


def redux() -> Tensors:
    from comfy.ldm.flux.redux import ReduxImageEncoder

    return filled(lambda: ReduxImageEncoder(dtype=torch.float16))


def uso_projector() -> Tensors:
    from comfy_extras.nodes_model_patch import SigLIPMultiFeatProjModel

    return filled(lambda: SigLIPMultiFeatProjModel(**plain()), "feature_embedder.")


FILES: Final[dict[str, Callable[[], Tensors]]] = {
    "checkpoints/tiny_sd15": sd15_checkpoint,
    "loras/tiny_sd15_lora": lambda: kohya(sd15_unet(), ".attn"),
    "checkpoints/tiny_sd35": sd35_checkpoint,
    "loras/tiny_sd35_lora": lambda: transformer_lora(sd35_transformer(), ".attn."),
    "diffusion_models/tiny_flux_dev": flux,
    "diffusion_models/tiny_flux_fill": lambda: flux(96),
    "loras/tiny_flux_lora": lambda: transformer_lora(flux(), "_blocks."),
    "text_encoders/tiny_clip_l": lambda: text_encoder("clip_l"),
    "text_encoders/tiny_t5xxl": lambda: text_encoder("t5xxl"),
    "vae/tiny_ae": lambda: picture_vae(MANY_CHANNELS),
    "vae/tiny_sd_vae": lambda: picture_vae(FEW_CHANNELS),
    "style_models/tiny_redux": redux,
    "clip_vision/tiny_siglip": lambda: vision("clip_vision_siglip_384.json", 27, first_norm=1152),
    "clip_vision/tiny_clip_g": lambda: vision("clip_vision_config_g.json", 48),
    "controlnet/tiny_flux_control": flux_control,
    "controlnet/tiny_sdxl_control": sdxl_control,
    "controlnet/tiny_sd15_control.pth": sd15_control,
    "diffusion_models/tiny_lotus": lambda: unet(context_dim=1024, adm_in_channels=4),
    "model_patches/tiny_uso_projector": uso_projector,
}
"""File without its ending → what makes it."""
