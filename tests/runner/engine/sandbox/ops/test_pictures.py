"""Picture, mask and latent nodes in numbers. The acceptance run compares many more cases with a real ComfyUI."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ops_runner import OpsRunner
from PIL import Image

from runner.engine.sandbox.node import NodeFailure
from runner.engine.sandbox.ops.image_scale import model_factor
from runner.engine.sandbox.ops.resample import AXIS, resize
from runner.engine.sandbox.ops.values import floats, octets


def grey(values: Any) -> Any:
    """A picture [1,H,W,3] of a table of levels 0..1."""
    return np.repeat(np.array(values, np.float32)[None, ..., None], 3, -1)


def level(picture: Any) -> list[list[float]]:
    """The red levels of the first picture."""
    return np.round(floats(picture)[0, ..., 0], 3).tolist()


RAMP = [[0.0, 0.2, 0.4, 0.6]]


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("nearest-exact", [0.2, 0.6]),
        ("bilinear", [0.1, 0.5]),
        ("area", [0.1, 0.5]),
        ("bicubic", [0.081, 0.519]),
        ("lanczos", [0.106, 0.494]),
    ],
)
def test_scaling_to_half_the_width(sandbox: OpsRunner, method: str, wanted: list[float]) -> None:
    made = sandbox.one("ImageScale", image=grey(RAMP), upscale_method=method, width=2, height=1, crop="disabled")
    assert level(made)[0] == pytest.approx(wanted, abs=0.005)


@pytest.mark.parametrize("method", [*AXIS, "lanczos"])
def test_scaling_keeps_a_plain_colour(method: str) -> None:
    plain = np.full((1, 13, 17, 3), 51 / 255, np.float32)
    assert np.allclose(resize(plain, 29, 7, method), 51 / 255, atol=1e-5)


def test_an_unknown_method_is_told(sandbox: OpsRunner) -> None:
    with pytest.raises(NodeFailure, match="unknown upscale method 'magic'"):
        sandbox.one("ImageScale", image=grey(RAMP), upscale_method="magic", width=2, height=1, crop="disabled")


SIZES: dict[str, tuple[str, dict[str, Any], tuple[int, int]]] = {
    "center crop": ("ImageScale", {"width": 30, "height": 30, "crop": "center"}, (30, 30)),
    "one side": ("ImageScale", {"width": 0, "height": 50, "crop": "disabled"}, (100, 50)),
    "no side": ("ImageScale", {"width": 0, "height": 0, "crop": "disabled"}, (40, 20)),
    "factor": ("ImageScaleBy", {"scale_by": 0.7}, (28, 14)),
    "megapixels": ("ImageScaleToTotalPixels", {"megapixels": 0.01, "resolution_steps": 1}, (145, 72)),
    "steps": ("ImageScaleToTotalPixels", {"megapixels": 0.01, "resolution_steps": 16}, (144, 80)),
    "longest": ("ImageScaleToMaxDimension", {"largest_size": 80}, (80, 40)),
}


@pytest.mark.parametrize("case", SIZES)
def test_sizes(sandbox: OpsRunner, case: str) -> None:
    kind, inputs, (width, height) = SIZES[case]
    picture = np.zeros((2, 20, 40, 3), np.float32)
    assert sandbox.one(kind, image=picture, upscale_method="bilinear", **inputs).shape == (2, height, width, 3)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("4x-UltraSharp.pth", 4),
        ("RealESRGAN_x2.pth", 2),
        ("4x_NMKD-Siax_200k.pth", 4),
        ("1xDeJPG.pth", 1),
        ("swin.pth", 4),
    ],
)
def test_the_factor_of_an_upscale_model(sandbox: OpsRunner, name: str, factor: int) -> None:
    assert model_factor(name) == factor
    model = sandbox.one("UpscaleModelLoader", model_name=name)
    made = sandbox.one("ImageUpscaleWithModel", upscale_model=model, image=np.zeros((1, 5, 6, 3), np.float32))
    assert made.shape == (1, 5 * factor, 6 * factor, 3)


def test_a_batch_takes_the_size_of_its_first_picture(sandbox: OpsRunner) -> None:
    first, second = np.zeros((2, 8, 8, 3), np.float32), np.ones((1, 4, 16, 3), np.float32)
    made = sandbox.one("ImageBatch", image1=first, image2=second)
    assert made.shape == (3, 8, 8, 3)
    assert made[2].min() == 1


def test_rebatching_gives_a_list_that_runs_once_for_each(sandbox: OpsRunner) -> None:
    graph = {
        "1": ("EmptyImage", {"width": 8, "height": 8, "batch_size": 5, "color": 0xFF0000}),
        "2": ("RebatchImages", {"images": ["1", 0], "batch_size": 2}),
        "3": ("ImageInvert", {"image": ["2", 0]}),
        "4": ("SaveImage", {"images": ["3", 0], "filename_prefix": "list"}),
    }
    results = sandbox.run({node: {"class_type": kind, "inputs": inputs} for node, (kind, inputs) in graph.items()})
    assert [len(part) for part in results["2"].outputs[0]] == [2, 2, 1]
    names = [entry["filename"] for entry in (results["4"].ui or {})["images"]]
    assert names == [f"list_{number:05}_.png" for number in range(1, 6)]


def test_padding_for_outpainting(sandbox: OpsRunner) -> None:
    picture = np.ones((1, 20, 20, 3), np.float32)
    canvas, mask = sandbox.one("ImagePadForOutpaint", image=picture, left=4, top=0, right=0, bottom=2, feathering=4)
    assert canvas.shape == (1, 22, 24, 3)
    assert (canvas[0, 0, 0, 0], mask[0, 0, 0]) == (0.5, 1.0)
    assert mask[0, 10, 4:9].tolist() == pytest.approx([1, 0.5625, 0.25, 0.0625, 0])


def test_alpha_and_masks_have_opposite_signs(sandbox: OpsRunner) -> None:
    rgba = np.zeros((4, 6, 4), np.uint8)
    rgba[:, :3, 3] = 255
    name = sandbox.picture(rgba)
    _, mask = sandbox.one("LoadImage", image=name)
    assert mask[0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert sandbox.one("LoadImageMask", image=name, channel="alpha")[0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    joined = sandbox.one("JoinImageWithAlpha", image=np.zeros((1, 4, 6, 3), np.float32), alpha=mask)
    assert joined[0, 0, :, 3].tolist() == [1, 1, 1, 0, 0, 0]
    assert np.array_equal(sandbox.one("SplitImageWithAlpha", image=joined)[1], mask)


def test_a_picture_without_alpha_has_a_small_empty_mask(sandbox: OpsRunner) -> None:
    name = sandbox.picture(np.zeros((4, 6, 3), np.uint8))
    assert sandbox.one("LoadImage", image=name)[1].shape == (1, 64, 64)


def test_a_turned_photo_and_an_animation(sandbox: OpsRunner) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(sandbox.root / "input" / "turned.jpg", exif=exif)
    assert sandbox.one("LoadImage", image="turned.jpg")[0].shape == (1, 30, 20, 3)
    frames = [Image.new("RGB", (10, 8), (40 * k, 0, 0)) for k in range(3)]
    frames[0].save(sandbox.root / "input" / "a.gif", save_all=True, append_images=frames[1:])
    assert sandbox.one("LoadImage", image="a.gif")[0].shape == (3, 8, 10, 3)


GROWN = {
    (1, True): ["00000", "00100", "01110", "00100", "00000"],
    (1, False): ["00000", "01110", "01110", "01110", "00000"],
    (2, True): ["00100", "01110", "11111", "01110", "00100"],
    (-1, True): ["00000"] * 5,
}


@pytest.mark.parametrize("case", GROWN)
def test_growing_a_mask(sandbox: OpsRunner, case: tuple[int, bool]) -> None:
    mask = np.zeros((1, 5, 5), np.float32)
    mask[0, 2, 2] = 1
    made = sandbox.one("GrowMask", mask=mask, expand=case[0], tapered_corners=case[1])[0]
    assert ["".join(str(int(value)) for value in row) for row in made] == GROWN[case]


COMBINED = {
    "multiply": [0, 0.3, 0.3, 0.6],
    "add": [0, 0.8, 1.0, 1.0],
    "subtract": [0, 0, 0.7, 0.4],
    "and": [0, 0, 0, 1],
    "or": [0, 1, 1, 1],
    "xor": [0, 1, 1, 0],
}


@pytest.mark.parametrize("operation", COMBINED)
def test_combining_masks(sandbox: OpsRunner, operation: str) -> None:
    one = np.array([[[0, 0.3, 1.0, 1.0]]], np.float32)
    two = np.array([[[0, 1.0, 0.3, 0.6]]], np.float32)
    if operation == "add":
        two = np.array([[[0, 0.5, 0.3, 0.6]]], np.float32)
    made = sandbox.one("MaskComposite", destination=one, source=two, x=0, y=0, operation=operation)
    assert made[0, 0].tolist() == pytest.approx(COMBINED[operation], abs=1e-6)


def test_canny_finds_the_edge_of_a_square(sandbox: OpsRunner) -> None:
    picture = np.zeros((1, 24, 24, 3), np.float32)
    picture[:, 8:16, 8:16] = 1
    edges = sandbox.one("Canny", image=picture, low_threshold=0.2, high_threshold=0.5)[0, ..., 0]
    rows, columns = np.nonzero(edges)
    assert set(np.unique(edges)) == {0.0, 1.0}
    for found in (rows, columns):  # on either side of the step
        assert found.min() in (7, 8)
        assert found.max() in (15, 16)
    assert edges[12, 12] == 0


# --- latents ---------------------------------------------------------------------------------------------------


@pytest.fixture
def encoded(sandbox: OpsRunner) -> Any:
    """A latent of two pictures of 64x48 whose left half is dark."""
    vae = sandbox.one("VAELoader", vae_name="ae.safetensors")
    pictures = np.zeros((2, 48, 64, 3), np.float32)
    pictures[:, :, 32:] = 0.8
    return sandbox.one("VAEEncode", pixels=pictures, vae=vae)


def shown(sandbox: OpsRunner, latent: Any) -> Any:
    return sandbox.one("VAEDecode", samples=latent, vae=sandbox.one("VAELoader", vae_name="ae.safetensors"))


def test_a_picture_comes_back_cut_to_whole_cells(sandbox: OpsRunner) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (1, 23, 61, 3), np.uint8)
    vae = sandbox.one("VAELoader", vae_name="ae.safetensors")
    made = shown(sandbox, sandbox.one("VAEEncode", pixels=picture, vae=vae))
    assert np.array_equal(octets(made), picture[:, 3:19, 2:58])


LATENTS: dict[str, tuple[dict[str, Any], tuple[int, ...], float, float]] = {
    "LatentFlip": ({"flip_method": "y-axis: horizontally"}, (2, 48, 64, 3), 0.8, 0.0),
    "LatentRotate": ({"rotation": "90 degrees"}, (2, 64, 48, 3), 0.0, 0.0),
    "LatentUpscaleBy": ({"upscale_method": "bilinear", "scale_by": 1.5}, (2, 72, 96, 3), 0.0, 0.8),
    "LatentUpscale": (
        {"upscale_method": "area", "width": 128, "height": 64, "crop": "disabled"},
        (2, 64, 128, 3),
        0.0,
        0.8,
    ),
    "RepeatLatentBatch": ({"amount": 2}, (4, 48, 64, 3), 0.0, 0.8),
    "LatentFromBatch": ({"batch_index": 1, "length": 5}, (1, 48, 64, 3), 0.0, 0.8),
    "LatentCut": ({"dim": "x", "index": 4, "amount": 2}, (2, 48, 16, 3), 0.8, 0.8),
}


@pytest.mark.parametrize("kind", LATENTS)
def test_latent_nodes_work_on_what_is_seen(sandbox: OpsRunner, encoded: Any, kind: str) -> None:
    inputs, shape, left, right = LATENTS[kind]
    made = shown(sandbox, sandbox.one(kind, samples=encoded, **inputs))
    assert made.shape == shape
    assert floats(made)[-1, 1, 1, 0] == pytest.approx(left, abs=0.01)
    assert floats(made)[-1, 1, -2, 0] == pytest.approx(right, abs=0.01)


def test_inpainting_keeps_picture_and_mask_in_whole_cells(sandbox: OpsRunner) -> None:
    vae, text = sandbox.one("VAELoader", vae_name="ae.safetensors"), sandbox.one("CLIPTextEncode", text="a", clip=None)
    picture, mask = np.full((1, 45, 61, 3), 0.5, np.float32), np.ones((1, 10, 10), np.float32)
    inputs = {"positive": text, "negative": text, "vae": vae, "pixels": picture, "mask": mask, "noise_mask": True}
    positive, negative, latent = sandbox.one("InpaintModelConditioning", **inputs)
    assert (latent.width, latent.height, latent.mask.shape) == (56, 40, (1, 40, 56))
    assert len({text.digest, positive.digest, negative.digest}) == 2  # equal texts, another picture
    assert positive.text == "a"


@pytest.mark.parametrize("method", ["pad", "center"])
def test_our_qwen_node_tells_where_the_picture_lies(sandbox: OpsRunner, method: str) -> None:
    picture = np.full((1, 50, 75, 3), 0.3, np.float32)
    clip = sandbox.one("CLIPLoader", clip_name="qwen.safetensors", type="qwen_image")
    vae = sandbox.one("VAELoader", vae_name="qwen_image_vae.safetensors")
    inputs = {"clip": clip, "vae": vae, "image1": picture, "prompt": "make it red", "negative_prompt": ""}
    inputs |= {"instruction": "", "target_size": 256, "target_vl_size": 384, "upscale_method": "lanczos", "seed": 0}
    positive, _, latent, *box = sandbox.one("ComfycQwenEditEncode", **inputs, crop_method=method)
    assert positive.text == "make it red"
    assert (latent.width % 16, latent.height % 16, latent.batch) == (0, 0, 1)
    x, y, width, height = box
    assert (x + width <= latent.width, y + height <= latent.height) == (True, True)
    assert width * height == pytest.approx(256 * 256, rel=0.1)
    if method == "pad":
        assert width / height == pytest.approx(1.5, abs=0.01)
