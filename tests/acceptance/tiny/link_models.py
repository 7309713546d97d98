"""Puts stand-ins for every model file that stacks, assets and tests name into a ComfyUI's models folder.

    python tests/acceptance/tiny/link_models.py BASE/models --empty         zero-byte files: enough to validate graphs
    python tests/acceptance/tiny/link_models.py BASE/models --tiny FOLDER   links to tiny random weights: graphs run

FOLDER is laid out like ComfyUI's models folder and holds the files of TINY: each has the architecture that ComfyUI
detects for its family, with as few and as narrow layers as it takes. What has no row there gets a zero-byte file in
either case. Exit code 1 names what FOLDER lacks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

from compiling import stocked

from compiler import Library
from compiler.template.library import KIND_FOLDERS

TINY = {
    ("sdxl", "checkpoints", ""): "checkpoints/tiny_sdxl.safetensors",
    ("sdxl", "loras", ""): "loras/tiny_sdxl_lora.safetensors",
    ("sdxl", "clip_vision", ""): "clip_vision/tiny_clip_g.safetensors",
    ("sdxl", "controlnet", ""): "controlnet/tiny_sdxl_control.safetensors",
    ("sdxl", "diffusion_models", "lotus"): "diffusion_models/tiny_lotus.safetensors",
    ("sdxl", "vae", ""): "vae/tiny_sd_vae.safetensors",
    ("sd15", "checkpoints", ""): "checkpoints/tiny_sd15.safetensors",
    ("sd15", "loras", ""): "loras/tiny_sd15_lora.safetensors",
    ("sd15", "controlnet", ""): "controlnet/tiny_sd15_control.pth",
    ("sd15", "upscale_models", ""): "upscale_models/tiny_4x_rrdb.pth",
    ("esrgan", "upscale_models", ""): "upscale_models/tiny_4x_rrdb.pth",
    ("sd35", "checkpoints", ""): "checkpoints/tiny_sd35.safetensors",
    ("sd35", "loras", ""): "loras/tiny_sd35_lora.safetensors",
    ("flux", "diffusion_models", "lotus"): "diffusion_models/tiny_lotus.safetensors",
    ("flux", "diffusion_models", "flux1-dev.safetensors"): "diffusion_models/tiny_flux_dev.safetensors",
    ("flux", "diffusion_models", "kontext"): "diffusion_models/tiny_flux_dev.safetensors",
    ("flux", "diffusion_models", "fill"): "diffusion_models/tiny_flux_fill.safetensors",
    ("flux", "text_encoders", "clip_l"): "text_encoders/tiny_clip_l.safetensors",
    ("flux", "text_encoders", "t5"): "text_encoders/tiny_t5xxl.safetensors",
    ("flux", "vae", "ft-mse"): "vae/tiny_sd_vae.safetensors",
    ("flux", "vae", "ae"): "vae/tiny_ae.safetensors",
    ("flux", "loras", ""): "loras/tiny_flux_lora.safetensors",
    ("flux", "style_models", ""): "style_models/tiny_redux.safetensors",
    ("flux", "clip_vision", ""): "clip_vision/tiny_siglip.safetensors",
    ("flux", "controlnet", ""): "controlnet/tiny_flux_control.safetensors",
    ("flux", "model_patches", ""): "model_patches/tiny_uso_projector.safetensors",
    ("wan22", "diffusion_models", "t2v_high"): "diffusion_models/tiny_wan22_t2v_high.safetensors",
    ("wan22", "diffusion_models", "t2v_low"): "diffusion_models/tiny_wan22_t2v_low.safetensors",
    ("wan22", "diffusion_models", "i2v_high"): "diffusion_models/tiny_wan22_i2v_high.safetensors",
    ("wan22", "diffusion_models", "i2v_low"): "diffusion_models/tiny_wan22_i2v_low.safetensors",
    ("wan22", "text_encoders", ""): "text_encoders/tiny_umt5xxl.safetensors",
    ("wan22", "vae", ""): "vae/tiny_wan21_vae.safetensors",
    ("wan22", "loras", ""): "loras/tiny_wan_lora.safetensors",
    ("qwen", "diffusion_models", ""): "diffusion_models/tiny_qwen_image.safetensors",
    ("qwen", "text_encoders", ""): "text_encoders/tiny_qwen25_vl_7b.safetensors",
    ("qwen", "vae", ""): "vae/tiny_wan21_vae.safetensors",
    ("qwen", "loras", ""): "loras/tiny_qwen_lora.safetensors",
}
"""(family, models folder, a part of the file's name) → file under FOLDER; Qwen-Image's VAE is built like Wan's."""


def wanted(library: Library) -> Iterator[tuple[str, str, str]]:
    """(family, folder, file name) of all that stacks and assets name, some more than once."""
    for stack in library.stacks.values():
        for role, name in stack.files.items():
            yield stack.family, stack.folders[role], name
        for profile in stack.profiles.values():
            yield from ((stack.family, "loras", name) for files in profile.loras for name in files.values())
    for asset in library.assets.values():
        yield from ((asset.family, KIND_FOLDERS[asset.kind], name) for name in asset.files.values())


def tiny_file(family: str, folder: str, name: str) -> str:
    """The tiny file that stands in; empty if the table has none."""
    plain = name.replace("_noise", "")
    for (of_family, of_folder, part), file in TINY.items():
        if (of_family, of_folder) == (family, folder) and part in plain:
            return file
    return ""


def stand_ins(*, tiny: bool) -> dict[tuple[str, str], str]:
    """(folder, file name) → tiny file, of one of the families that share the name; empty for a file of no bytes."""
    found: dict[tuple[str, str], str] = {}
    for family, folder, name in sorted(set(wanted(stocked()))):
        found[folder, name] = found.get((folder, name)) or (tiny_file(family, folder, name) if tiny else "")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, help="the models folder to fill")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--tiny", type=Path, metavar="FOLDER", help="link to these tiny weights")
    kind.add_argument("--empty", action="store_true", help="make zero-byte files")
    args = parser.parse_args()
    lacking: set[str] = set()
    for (folder, name), stand_in in stand_ins(tiny=args.tiny is not None).items():
        target: Path = args.models / folder / name
        source = args.tiny.resolve() / stand_in if stand_in else None
        if source is not None and not source.is_file():
            lacking.add(stand_in)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if source is None:
            target.touch()
        else:
            target.symlink_to(source)
        print(f"{folder}/{name}" + (f" -> {source.name}" if source else ""))
    for file in sorted(lacking):
        print(f"{args.tiny}: has no {file}", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    raise SystemExit(main())
