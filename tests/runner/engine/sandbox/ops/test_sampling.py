"""Samplers and what they draw: deterministic, sensitive to every wire, honest about what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ops_runner import OpsRunner

from runner.engine.sandbox.node import Interrupted
from runner.engine.sandbox.ops import run_node
from runner.engine.sandbox.ops.paint import PREVIEW_SIDE, dissolve, plain
from runner.engine.sandbox.ops.values import octets

SIZE = {"width": 128, "height": 96, "batch_size": 1}


def text_to_image(**changes: Any) -> dict[str, Any]:
    """A small graph; `sampler.seed=2` style changes as sampler__seed=2."""
    nodes: dict[str, Any] = {
        "ckpt": ("CheckpointLoaderSimple", {"ckpt_name": "a.safetensors"}),
        "lora": (
            "LoraLoader",
            {
                "model": ["ckpt", 0],
                "clip": ["ckpt", 1],
                "lora_name": "l.safetensors",
                "strength_model": 1.0,
                "strength_clip": 1.0,
            },
        ),
        "shift": ("ModelSamplingSD3", {"model": ["lora", 0], "shift": 3.0}),
        "prompt": ("CLIPTextEncode", {"text": "a red door", "clip": ["lora", 1]}),
        "negative": ("CLIPTextEncode", {"text": "bad", "clip": ["lora", 1]}),
        "latent": ("EmptyLatentImage", dict(SIZE)),
        "sampler": (
            "KSampler",
            {
                "model": ["shift", 0],
                "seed": 1,
                "steps": 4,
                "cfg": 5.0,
                "sampler_name": "euler",
                "scheduler": "simple",
                "positive": ["prompt", 0],
                "negative": ["negative", 0],
                "latent_image": ["latent", 0],
                "denoise": 1.0,
            },
        ),
        "decode": ("VAEDecode", {"samples": ["sampler", 0], "vae": ["ckpt", 2]}),
    }
    for path, value in changes.items():
        node, name = path.split("__")
        nodes[node][1][name] = value
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def decoded(sandbox: OpsRunner, **changes: Any) -> Any:
    return sandbox.run(text_to_image(**changes))["decode"].outputs[0]


def test_equal_graphs_draw_equal_pictures(sandbox: OpsRunner) -> None:
    first, second = decoded(sandbox), decoded(sandbox)
    assert first.shape == (1, 96, 128, 3)
    assert np.array_equal(first, second)
    assert first.std() > 20  # a picture, not a plain colour


CHANGES = {
    "sampler__seed": 2,
    "sampler__steps": 5,
    "sampler__cfg": 6.0,
    "sampler__sampler_name": "heun",
    "sampler__scheduler": "karras",
    "sampler__denoise": 0.9,
    "prompt__text": "a blue door",
    "negative__text": "worse",
    "lora__strength_model": 0.9,
    "lora__strength_clip": 0.9,
    "lora__lora_name": "m.safetensors",
    "ckpt__ckpt_name": "b.safetensors",
    "shift__shift": 4.0,
}


@pytest.mark.parametrize("path", CHANGES)
def test_every_wire_changes_the_picture(sandbox: OpsRunner, path: str) -> None:
    assert not np.array_equal(decoded(sandbox), decoded(sandbox, **{path: CHANGES[path]}))


def test_at_cfg_1_the_negative_has_no_effect(sandbox: OpsRunner) -> None:
    one = decoded(sandbox, sampler__cfg=1.0)
    assert np.array_equal(one, decoded(sandbox, sampler__cfg=1.0, negative__text="other"))


def test_each_picture_of_a_batch_is_another(sandbox: OpsRunner) -> None:
    made = decoded(sandbox, latent__batch_size=3)
    assert len({one.tobytes() for one in made}) == 3


def test_steps_are_reported_with_previews_and_cost_time(sandbox: OpsRunner) -> None:
    sandbox.run(text_to_image(latent__width=1024))
    assert [(value, most) for _, value, most, _ in sandbox.steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all((image or b"").startswith(b"\xff\xd8\xff") for *_, image in sandbox.steps)
    assert sandbox.slept == pytest.approx(4 * 0.02)
    assert PREVIEW_SIDE <= 512


def test_an_interrupt_at_a_step_goes_through(sandbox: OpsRunner) -> None:
    graph = text_to_image()
    values = sandbox.run(graph)
    inputs = {**graph["sampler"]["inputs"], "latent_image": values["latent"].outputs[0]}
    inputs |= {name: values[node].outputs[0] for name, node in {"positive": "prompt", "negative": "negative"}.items()}
    context = sandbox.context("sampler", graph)

    def stop(value: float, maximum: float, image: bytes | None) -> None:
        raise Interrupted

    object.__setattr__(context, "progress", stop)
    with pytest.raises(Interrupted):
        run_node("KSampler", inputs, context)


# --- starting from a picture -----------------------------------------------------------------------------------


def image_to_image(denoise: float, **mask: Any) -> dict[str, Any]:
    graph = text_to_image(sampler__latent_image=["encode", 0], sampler__denoise=denoise)
    del graph["latent"]
    graph["load"] = {"class_type": "LoadImage", "inputs": {"image": "in.png"}}
    graph["encode"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["load", 0], "vae": ["ckpt", 2]}}
    if mask:
        graph["mask"] = {"class_type": "SolidMask", "inputs": {"width": 128, "height": 96, **mask}}
        graph["masked"] = {
            "class_type": "SetLatentNoiseMask",
            "inputs": {"samples": ["encode", 0], "mask": ["mask", 0]},
        }
        graph["sampler"]["inputs"]["latent_image"] = ["masked", 0]
    return graph


def picture() -> Any:
    y, x = np.mgrid[0:96, 0:128]
    return np.stack([(x // 8 + y // 8) % 2 * 255] * 3, -1).astype(np.uint8)


def likeness(sandbox: OpsRunner, graph: dict[str, Any]) -> float:
    """Correlation of the result with the input picture, above the caption."""
    sandbox.picture(picture(), "in.png")
    made = sandbox.run(graph)["decode"].outputs[0][0, :70].astype(float)
    return float(np.corrcoef(made.ravel(), picture()[:70].astype(float).ravel())[0, 1])


def test_the_less_denoise_the_more_of_the_input_is_seen(sandbox: OpsRunner) -> None:
    values = [likeness(sandbox, image_to_image(denoise)) for denoise in (1.0, 0.8, 0.5, 0.2)]
    assert values == sorted(values)
    assert abs(values[0]) < 0.1
    assert values[-1] > 0.9


def test_without_denoise_the_picture_comes_back(sandbox: OpsRunner) -> None:
    sandbox.picture(picture(), "in.png")
    made = sandbox.run(image_to_image(0.0))["decode"].outputs[0]
    assert np.array_equal(octets(made)[0], picture())
    assert sandbox.steps == []


def test_a_mask_protects_what_it_leaves_out(sandbox: OpsRunner) -> None:
    assert likeness(sandbox, image_to_image(1.0, value=0.0)) > 0.99
    assert abs(likeness(sandbox, image_to_image(1.0, value=1.0))) < 0.1


# --- two passes, custom samplers -------------------------------------------------------------------------------


def two_passes(**changes: Any) -> dict[str, Any]:
    graph = text_to_image()
    kept = {
        key: graph["sampler"]["inputs"][key] for key in ("cfg", "sampler_name", "scheduler", "positive", "negative")
    }
    first = {"add_noise": "enable", "start_at_step": 0, "end_at_step": 3, "return_with_leftover_noise": "enable"}
    second = {"add_noise": "disable", "start_at_step": 3, "end_at_step": 10000, "return_with_leftover_noise": "disable"}
    shared = {**kept, "model": ["shift", 0], "noise_seed": 5, "steps": 8}
    graph["high"] = {"class_type": "KSamplerAdvanced", "inputs": {**shared, **first, "latent_image": ["latent", 0]}}
    graph["low"] = {"class_type": "KSamplerAdvanced", "inputs": {**shared, **second, "latent_image": ["high", 0]}}
    graph["decode"]["inputs"]["samples"] = ["low", 0]
    for path, value in changes.items():
        node, name = path.split("__")
        graph[node]["inputs"][name] = value
    del graph["sampler"]
    return graph


def test_two_experts_share_the_steps(sandbox: OpsRunner) -> None:
    made = sandbox.run(two_passes())
    counts = [(node, most) for node, value, most, _ in sandbox.steps if value == 1]
    assert counts == [("high", 3), ("low", 5)]
    noisy, clean = made["high"].outputs[0], made["low"].outputs[0]
    assert noisy.art.noise == pytest.approx(5 / 8)
    assert (clean.art.noise, clean.art.base) == (0.0, None)
    assert clean.caption == "a red door · seed 5"


def test_the_first_expert_changes_the_picture_too(sandbox: OpsRunner) -> None:
    made = sandbox.run(two_passes())["decode"].outputs[0]
    other = sandbox.run(two_passes(high__model=["ckpt", 0]))["decode"].outputs[0]
    assert not np.array_equal(made, other)


def custom(sandbox: OpsRunner, denoise: float = 1.0, seed: int = 3) -> tuple[Any, Any]:
    model = sandbox.one("UNETLoader", unet_name="u.safetensors", weight_dtype="default")
    clip = sandbox.one("CLIPLoader", clip_name="c.safetensors", type="flux")
    text = sandbox.one("CLIPTextEncode", text="a fox", clip=clip)
    return sandbox.one(
        "SamplerCustomAdvanced",
        noise=sandbox.one("RandomNoise", noise_seed=seed),
        guider=sandbox.one("BasicGuider", model=model, conditioning=text),
        sampler=sandbox.one("KSamplerSelect", sampler_name="euler"),
        sigmas=sandbox.one("BasicScheduler", model=model, scheduler="simple", steps=6, denoise=denoise),
        latent_image=sandbox.one("EmptySD3LatentImage", **SIZE),
    )


def test_custom_samplers_run_as_many_steps_as_there_are_sigmas(sandbox: OpsRunner) -> None:
    latent, denoised = custom(sandbox)
    assert [most for *_, most, _ in sandbox.steps] == [6] * 6
    assert latent.caption == "a fox · seed 3"
    assert denoised.shape == latent.shape == (1, 16, 12, 16)
    assert custom(sandbox, seed=4)[0].digest != latent.digest


def test_without_sigmas_nothing_runs(sandbox: OpsRunner) -> None:
    latent, _ = custom(sandbox, denoise=0.0)
    assert latent.art is None
    assert sandbox.steps == []


SPLITS = {2: (2, 4), 0: (0, 6), 6: (6, 0)}


@pytest.mark.parametrize("step", SPLITS)
def test_split_sigmas(sandbox: OpsRunner, step: int) -> None:
    sigmas = sandbox.one("KarrasScheduler", steps=6, sigma_max=10.0, sigma_min=0.1, rho=7.0)
    high, low = sandbox.one("SplitSigmas", sigmas=sigmas, step=step)
    assert (high.steps, low.steps) == SPLITS[step]
    assert sigmas.levels[0] == pytest.approx(10.0)
    assert sigmas.levels[-1] == 0


# --- drawing ---------------------------------------------------------------------------------------------------


def test_the_picture_says_what_it_is(sandbox: OpsRunner) -> None:
    """The bar at the foot is dark with light letters; other texts give other bars."""
    made = decoded(sandbox, latent__width=512, latent__height=256)
    bar = made[0, -12:, 8:400].astype(int)
    assert np.median(bar) < 110
    assert bar.max() > 200
    other = decoded(sandbox, latent__width=512, latent__height=256, sampler__seed=1234567)
    assert not np.array_equal(made[0, -12:] > 180, other[0, -12:] > 180)


def test_captions_in_characters_that_the_font_has() -> None:
    assert plain("Ünïcode\n  döör · 日本") == "Unicode door · ??"


def test_given_frames_are_seen_fully_and_dissolve() -> None:
    for first, last in ((1, 0), (3, 0), (0, 1), (1, 1), (4, 2)):
        weight, share = dissolve(17, first, last)
        assert (weight[:first] == 1).all()
        assert weight[17 - last :].tolist() == pytest.approx([1] * last, abs=1e-6)
        assert 0.2 < weight.min() < 0.5
        assert np.abs(np.diff(weight)).max() < 0.25
        assert (np.diff(share) >= 0).all()
