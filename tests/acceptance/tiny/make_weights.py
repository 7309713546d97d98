"""Writes tiny random weights of every model family that our stacks name, and of the models that ops_parity.yaml names.

    COMFYUI_PYTHON tests/acceptance/tiny/make_weights.py COMFYUI_HOME FOLDER

ComfyUI with shim/ runs them. This runs under ComfyUI's own Python: names and shapes are those of its classes,
made small by shim/ and without memory. Values are drawn from a generator whose seed is the tensor's name: the same
files every time. FOLDER is filled like ComfyUI's models folder, about 200 MB; link_models.py gives the files the names
that requests use.
"""

from __future__ import annotations

import io
import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import safetensors.torch
import torch

Tensors = dict[str, torch.Tensor]
RANK = 4
TEXT = "a boat by the lighthouse at dusk in rain with light of red and blue winter ferns runs slowly past"


# --- values ----------------------------------------------------------------------------------------------------


def spread(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """(mean, deviation) of a tensor's values: such that what goes through a layer keeps its size."""
    leaf = name.rpartition(".")[2]
    wide = [side for side in shape if side != 1]
    if "embed_tokens" in name or "embedding.weight" in name or leaf == "positional_embedding":
        return 0.0, 0.04
    if name == "shared.weight":
        return 0.0, 1.0
    if leaf == "bias":
        return 0.0, 0.02
    if leaf in ("gamma", "scale") or (leaf == "weight" and len(wide) < 2 and len(shape) != 2):
        return 1.0, 0.05  # a norm
    if leaf == "modulation":
        return 0.0, shape[-1] ** -0.5
    return 0.0, max(1, math.prod(shape[1:])) ** -0.5


def drawn(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Half-precision values: small files, and every loader takes them."""
    mean, deviation = spread(name, shape)
    generator = torch.Generator().manual_seed(crc32(name.encode()))
    return torch.randn(shape, generator=generator).mul_(deviation).add_(mean).half()


def filled(make: Callable[[], torch.nn.Module], prefix: str = "", skip: str = "\0") -> Tensors:
    """Random values for every tensor of a module; `make` is called where tensors take no memory."""
    with torch.device("meta"):
        layout = make().state_dict()
    return {prefix + name: drawn(name, tuple(one.shape)) for name, one in layout.items() if skip not in name}


def matrices(model: Tensors, part: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """(layer, shape) of the linear layers whose name has `part`."""
    for name, one in model.items():
        if part in name and name.endswith(".weight") and one.dim() == 2:
            yield name.removesuffix(".weight"), (one.shape[0], one.shape[1])


def adapter(name: str, shape: tuple[int, int], down: str, up: str) -> Tensors:
    """A LoRA of one linear layer. As large as the weights: what it does must be seen."""
    first, second = f"{name}.{down}.weight", f"{name}.{up}.weight"
    return {first: drawn(first, (RANK, shape[1])), second: drawn(second, (shape[0], RANK)) / 2}


# --- files -----------------------------------------------------------------------------------------------------


def plain() -> dict[str, Any]:
    """Arguments that ComfyUI's modules want for layers without initial values."""
    import comfy.ops

    return {"operations": comfy.ops.disable_weight_init, "dtype": torch.float16}


def sdxl_unet() -> Tensors:
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    return filled(
        lambda: UNetModel(
            image_size=32,
            in_channels=4,
            out_channels=4,
            model_channels=0,  # the shim's
            num_res_blocks=[2, 2, 2],
            channel_mult=[1, 1, 1],
            num_head_channels=64,
            use_spatial_transformer=True,
            use_linear_in_transformer=True,
            context_dim=2048,
            num_classes="sequential",
            adm_in_channels=2816,
            legacy=False,
            **plain(),
        )
    )


def sdxl_clip() -> Tensors:
    from comfy.sdxl_clip import SDXLClipModel

    return filled(lambda: SDXLClipModel(device="meta", dtype=torch.float16), skip="logit_scale")


def sdxl_checkpoint() -> Tensors:
    """UNet, both encoders under the names of Stability's files, and the VAE, in one file."""
    from comfy.ldm.models.autoencoder import AutoencoderKL
    from comfy.supported_models import SDXL

    sizes = {"double_z": True, "z_channels": 4, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 0}
    layers = {"ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0}
    unet = {f"model.diffusion_model.{name}": one for name, one in sdxl_unet().items()}
    clip = SDXL.process_clip_state_dict_for_saving(None, sdxl_clip())
    vae = filled(lambda: AutoencoderKL(ddconfig={**sizes, **layers}, embed_dim=4), "first_stage_model.")
    return {**unet, **clip, **vae}


def sdxl_lora() -> Tensors:
    """For the UNet's attention and both encoders'."""
    made: Tensors = {}
    for layer, shape in matrices(sdxl_unet(), ".attn"):
        made |= adapter("lora_unet_" + layer.replace(".", "_"), shape, "lora_down", "lora_up")
    for layer, shape in matrices(sdxl_clip(), ".self_attn."):
        encoder, _, inside = layer.partition(".transformer.")
        title = {"clip_l": "lora_te1_", "clip_g": "lora_te2_"}[encoder]
        made |= adapter(title + inside.replace(".", "_"), shape, "lora_down", "lora_up")
    return made


def wan_transformer(layers: int, in_channels: int) -> Tensors:
    """One expert; `in_channels` is 16, or 36 with a mask and the latents of given frames."""
    from comfy.ldm.wan.model import WanModel

    sizes = {"dim": 128, "ffn_dim": 64, "num_heads": 1, "num_layers": layers, "in_dim": in_channels}
    return filled(lambda: WanModel(model_type="t2v", **sizes, **plain()))


def sentence_pieces() -> torch.Tensor:
    """A SentencePiece model of a few hundred words, as the bytes that lie in a umT5 file."""
    import sentencepiece

    dice = random.Random(7)
    lines = [" ".join(dice.choices(TEXT.split(), k=12)) for _ in range(200)]
    target = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=target,
        model_type="bpe",
        vocab_size=400,
        hard_vocab_limit=False,
        byte_fallback=True,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return torch.frombuffer(bytearray(target.getvalue()), dtype=torch.uint8)


def umt5() -> Tensors:
    """The encoder alone. ComfyUI knows umT5-XXL by a layer that the short one lacks: it is named, and not loaded."""
    from comfy.text_encoders.wan import UMT5XXlModel

    options = {"model_name": "umt5xxl"}
    made = filled(lambda: UMT5XXlModel(device="meta", dtype=torch.float16, model_options=options).transformer)
    mark = "encoder.block.23.layer.1.DenseReluDense.wi_1.weight"
    return {**made, mark: torch.zeros(1, 4096).half(), "spiece_model": sentence_pieces()}


def qwen_encoder() -> Tensors:
    """Qwen2.5-VL with its vision tower."""
    from comfy.text_encoders.qwen_image import Qwen25_7BVLIModel

    options = {"model_name": "qwen25_7b"}
    return filled(lambda: Qwen25_7BVLIModel(device="meta", dtype=torch.float16, model_options=options).transformer)


def qwen_transformer() -> Tensors:
    from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel

    return filled(lambda: QwenImageTransformer2DModel(num_layers=2, **plain()))


def transformer_lora(model: Tensors, part: str) -> Tensors:
    made: Tensors = {}
    for layer, shape in matrices(model, part):
        made |= adapter(f"diffusion_model.{layer}", shape, "lora_A", "lora_B")
    return made


def wan_vae(module: str, channels: int) -> Tensors:
    """`vae` of Wan 2.1, 16 channels; `vae2_2` of Wan 2.2's 5B model, 48."""
    from importlib import import_module

    layers = {"dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": []}
    along = {"temperal_downsample": [False, True, True]}
    made = import_module(f"comfy.ldm.wan.{module}").WanVAE
    return filled(lambda: made(z_dim=channels, **layers, **along))


def small_vae() -> Tensors:
    """TAESD, for cases that only look at sizes."""
    from comfy.taesd.taesd import TAESD

    scale, shift = torch.tensor(0.18215), torch.tensor(0.0)  # TAESD's own
    return {**filled(TAESD, skip="vae_s"), "vae_scale": scale, "vae_shift": shift}


def convolutions(sizes: Mapping[str, tuple[int, int]]) -> Tensors:
    """3 by 3, from name → (channels out, channels in)."""
    made: Tensors = {}
    for name, (out, into) in sizes.items():
        made[f"{name}.weight"] = drawn(f"{name}.weight", (out, into, 3, 3))
        made[f"{name}.bias"] = drawn(f"{name}.bias", (out,))
    return made


def esrgan() -> Tensors:
    """An upscaler in the layout of ESRGAN's first files: 4 times, one block, 8 channels (each layer adds 32 always)."""
    dense = {
        f"model.1.sub.0.RDB{block}.conv{layer}.0": (32 if layer < 5 else 8, 8 + 32 * (layer - 1))
        for block in (1, 2, 3)
        for layer in range(1, 6)
    }
    plain_ones = dict.fromkeys(("model.1.sub.1", "model.3", "model.6", "model.8"), (8, 8))
    return convolutions({"model.0": (8, 3), **dense, **plain_ones, "model.10": (3, 8)})


def compact_upscaler() -> Tensors:
    """An upscaler in the layout of Real-ESRGAN's compact files: 2 times, 8 channels."""
    slopes = {f"body.{place}.weight": torch.full((8,), 0.25).half() for place in (1, 3)}
    return {**convolutions({"body.0": (8, 3), "body.2": (8, 8), "body.4": (12, 8)}), **slopes}


FILES: dict[str, Callable[[], Tensors]] = {
    "checkpoints/tiny_sdxl": sdxl_checkpoint,
    "loras/tiny_sdxl_lora": sdxl_lora,
    "diffusion_models/tiny_wan22_t2v_high": lambda: wan_transformer(1, 16),
    "diffusion_models/tiny_wan22_t2v_low": lambda: wan_transformer(2, 16),
    "diffusion_models/tiny_wan22_i2v_high": lambda: wan_transformer(1, 36),
    "diffusion_models/tiny_wan22_i2v_low": lambda: wan_transformer(2, 36),
    "loras/tiny_wan_lora": lambda: transformer_lora(wan_transformer(1, 16), "_attn."),
    "text_encoders/tiny_umt5xxl": umt5,
    "vae/tiny_wan21_vae": lambda: wan_vae("vae", 16),
    "vae/tiny_wan22_vae": lambda: wan_vae("vae2_2", 48),
    "vae/tiny_taesd": small_vae,
    "upscale_models/tiny_4x_rrdb": esrgan,
    "upscale_models/tiny_2x_compact": compact_upscaler,
    "text_encoders/tiny_qwen25_vl_7b": qwen_encoder,
    "diffusion_models/tiny_qwen_image": qwen_transformer,
    "loras/tiny_qwen_lora": lambda: transformer_lora(qwen_transformer(), ".attn."),
}


def main(home: str, folder: str) -> None:
    sys.path[:0] = [home, str(Path(__file__).parent)]
    sys.dont_write_bytecode = True
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import shim  # noqa: F401  makes the classes small

    torch.set_grad_enabled(False)
    for name, make in FILES.items():
        file = Path(folder, f"{name}.safetensors")
        file.parent.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file({name: one.contiguous() for name, one in make().items()}, file, {"format": "pt"})
        print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
