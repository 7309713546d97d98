"""Writes tiny random weights of every model family that our stacks name, and of the models that ops_parity.yaml names.

    COMFYUI_PYTHON tests/acceptance/tiny/make_weights.py COMFYUI_HOME FOLDER

ComfyUI with shim/ runs them. This runs under ComfyUI's own Python: names and shapes are those of its classes,
made small by shim/ and without memory. Values are drawn from a generator whose seed is the tensor's name: the same
files every time. FOLDER is filled like ComfyUI's models folder, about 450 MB; link_models.py gives the files the names
that requests use.
"""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import image_weights
import safetensors.torch
import torch
from image_weights import FEW_CHANNELS, kohya, picture_vae, transformer_lora, unet
from tensors import Tensors, adapter, drawn, filled, matrices, plain

TEXT = "a boat by the lighthouse at dusk in rain with light of red and blue winter ferns runs slowly past"


# --- files -----------------------------------------------------------------------------------------------------


def sdxl_unet() -> Tensors:
    return unet(context_dim=2048, adm_in_channels=2816)


def sdxl_clip() -> Tensors:
    from comfy.sdxl_clip import SDXLClipModel

    return filled(lambda: SDXLClipModel(device="meta", dtype=torch.float16), skip="logit_scale")


def sdxl_checkpoint() -> Tensors:
    """UNet, both encoders under the names of Stability's files, and the VAE, in one file."""
    from comfy.supported_models import SDXL

    unet = {f"model.diffusion_model.{name}": one for name, one in sdxl_unet().items()}
    clip = SDXL.process_clip_state_dict_for_saving(None, sdxl_clip())
    return {**unet, **clip, **picture_vae(FEW_CHANNELS, "first_stage_model.")}


def sdxl_lora() -> Tensors:
    """For the UNet's attention and both encoders'."""
    made = kohya(sdxl_unet(), ".attn")
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


PICKLED = ".pth"
"""Files that requests name so: ComfyUI tells by the name how to read one."""
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
    "upscale_models/tiny_4x_rrdb.pth": esrgan,
    "upscale_models/tiny_2x_compact": compact_upscaler,
    "text_encoders/tiny_qwen25_vl_7b": qwen_encoder,
    "diffusion_models/tiny_qwen_image": qwen_transformer,
    "loras/tiny_qwen_lora": lambda: transformer_lora(qwen_transformer(), ".attn."),
    **image_weights.FILES,
}


def main(home: str, folder: str) -> None:
    sys.path.insert(0, home)
    sys.dont_write_bytecode = True
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import comfy_extras.nodes_model_patch  # noqa: F401  the shim changes a class of it
    import shim  # noqa: F401  makes the classes small

    torch.set_grad_enabled(False)
    for name, make in FILES.items():
        file = Path(folder, name if name.endswith(PICKLED) else f"{name}.safetensors")
        file.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: one.contiguous() for name, one in make().items()}
        if file.suffix == PICKLED:
            torch.save(tensors, file)
        else:
            safetensors.torch.save_file(tensors, file, {"format": "pt"})
        print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
