"""What custom samplers are made of: noise, guiders, noise levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from runner.engine.sandbox.node import NodeContext
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.sampling import Run, guidance, sample
from runner.engine.sandbox.ops.values import (
    Conditioning,
    Floats,
    Guider,
    Latent,
    Noise,
    Sigmas,
    Symbol,
    changed,
    digest,
)

# --- noise levels ----------------------------------------------------------------------------------------------


def _spaced(steps: int, top: float, bottom: float, curve: Callable[[Floats], Floats]) -> Floats:
    return np.append(bottom + (top - bottom) * curve(np.linspace(0, 1, steps)), 0.0).astype(np.float32)


def karras(steps: int, sigma_max: float, sigma_min: float, rho: float) -> Floats:
    """Karras et al. 2022, equation 5."""
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return np.append((high + np.linspace(0, 1, steps) * (low - high)) ** rho, 0.0).astype(np.float32)


def exponential(steps: int, sigma_max: float, sigma_min: float, rho: float = 1.0) -> Floats:
    """Evenly spaced logarithms (rho = 1), or denser towards one end."""
    ramp = np.linspace(1, 0, steps) ** rho
    levels = np.exp(ramp * (math.log(sigma_max) - math.log(sigma_min)) + math.log(sigma_min))
    return np.append(levels, 0.0).astype(np.float32)


@op("KarrasScheduler")
def karras_scheduler(steps: int, sigma_max: float, sigma_min: float, rho: float) -> Sigmas:
    return Sigmas(karras(steps, sigma_max, sigma_min, rho))


@op("ExponentialScheduler")
def exponential_scheduler(steps: int, sigma_max: float, sigma_min: float) -> Sigmas:
    return Sigmas(exponential(steps, sigma_max, sigma_min))


@op("PolyexponentialScheduler")
def polyexponential_scheduler(steps: int, sigma_max: float, sigma_min: float, rho: float) -> Sigmas:
    return Sigmas(exponential(steps, sigma_max, sigma_min, rho))


@op("BasicScheduler", "SDTurboScheduler", "AlignYourStepsScheduler", "GITSScheduler", "OptimalStepsScheduler")
def partial_scheduler(steps: int, inputs: Mapping[str, Any], denoise: float = 1.0) -> Sigmas:
    """Levels that depend on a model: evenly spaced here, their number as in ComfyUI; `denoise` cuts the first ones."""
    if denoise <= 0:
        return Sigmas(np.zeros(0, np.float32), digest("scheduler", inputs), 0.0)
    levels = _spaced(steps, denoise, denoise / max(steps, 1), lambda t: 1 - t)
    return Sigmas(levels, digest("scheduler", inputs), min(denoise, 1.0))


@op("BetaSamplingScheduler", "Flux2Scheduler", "LTXVScheduler", "LaplaceScheduler", "VPScheduler")
def full_scheduler(steps: int, inputs: Mapping[str, Any]) -> Sigmas:
    return Sigmas(_spaced(steps, 1.0, 1 / max(steps, 1), lambda t: 1 - t), digest("scheduler", inputs))


@op("ManualSigmas")
def manual_sigmas(sigmas: str) -> Sigmas:
    """Numbers in a text."""
    parts = [float(part) for part in sigmas.replace(";", ",").replace(" ", ",").split(",") if part]
    return Sigmas(np.array(parts, np.float32))


def _with(sigmas: Sigmas, levels: Floats, *why: Any, share: float | None = None) -> Sigmas:
    return Sigmas(levels, digest(sigmas, *why), sigmas.share if share is None else share)


def _share_at(sigmas: Sigmas, step: int) -> float:
    """How much noise is left at a step, beside the first level."""
    if not len(sigmas.levels) or not sigmas.levels[0]:
        return 0.0
    return sigmas.share * float(sigmas.levels[min(step, len(sigmas.levels) - 1)] / sigmas.levels[0])


@op("SplitSigmas")
def split_sigmas(sigmas: Sigmas, step: int) -> tuple[Sigmas, Sigmas]:
    """The level at the cut is in both parts."""
    low = _with(sigmas, sigmas.levels[step:], "low", step, share=_share_at(sigmas, step))
    return _with(sigmas, sigmas.levels[: step + 1], "high", step), low


@op("SplitSigmasDenoise")
def split_sigmas_denoise(sigmas: Sigmas, denoise: float) -> tuple[Sigmas, Sigmas]:
    steps = sigmas.steps
    cut = steps - round(steps * denoise)
    high, low = split_sigmas(sigmas, cut)
    return high, low


@op("FlipSigmas")
def flip_sigmas(sigmas: Sigmas) -> Sigmas:
    levels = np.array(sigmas.levels[::-1])
    if len(levels) and levels[0] == 0:
        levels[0] = 0.0001
    return _with(sigmas, levels, "flip")


@op("SetFirstSigma")
def set_first_sigma(sigmas: Sigmas, sigma: float) -> Sigmas:
    levels = np.array(sigmas.levels)
    levels[:1] = sigma
    return _with(sigmas, levels, "first", sigma)


@op("ExtendIntermediateSigmas")
def extend_sigmas(sigmas: Sigmas, steps: int, start_at_sigma: float, end_at_sigma: float, spacing: str) -> Sigmas:
    """Puts more levels between those that lie between two bounds."""
    top = math.inf if start_at_sigma < 0 else start_at_sigma
    curve = SPACINGS[spacing](np.linspace(0, 1, steps + 1)[1:-1])
    made: list[float] = []
    for here, following in zip(sigmas.levels[:-1], sigmas.levels[1:], strict=True):
        made.append(float(here))
        if end_at_sigma <= here <= top:
            made.extend((here + (following - here) * curve).tolist())
    made.extend(sigmas.levels[-1:].tolist())
    return _with(sigmas, np.array(made, np.float32), "extend", steps, start_at_sigma, end_at_sigma, spacing)


SPACINGS: Final[Mapping[str, Callable[[Floats], Floats]]] = {
    "linear": lambda x: x,
    "cosine": lambda x: np.sin(x * math.pi / 2),
    "sine": lambda x: 1 - np.cos(x * math.pi / 2),
}


@op("SamplingPercentToSigma")
def percent_to_sigma(sampling_percent: float) -> float:
    return 1.0 - sampling_percent


# --- noise and guiders -----------------------------------------------------------------------------------------


@op("RandomNoise")
def random_noise(noise_seed: int) -> Noise:
    return Noise(noise_seed)


@op("DisableNoise")
def disable_noise() -> Noise:
    return Noise(0, enabled=False)


@op("BasicGuider")
def basic_guider(model: Symbol, conditioning: Conditioning) -> Guider:
    return Guider(digest("basic", model, conditioning), conditioning)


@op("CFGGuider")
def cfg_guider(model: Symbol, positive: Conditioning, negative: Conditioning, cfg: float) -> Guider:
    return Guider(digest("cfg", model, positive, guidance(cfg, negative)), positive)


@op("DualCFGGuider")
def dual_cfg_guider(cond1: Conditioning, inputs: Mapping[str, Any]) -> Guider:
    return Guider(digest("dual cfg", inputs), cond1)


@op("PerpNegGuider")
def perp_neg_guider(positive: Conditioning, inputs: Mapping[str, Any]) -> Guider:
    return Guider(digest("perp neg", inputs), positive)


# --- samplers --------------------------------------------------------------------------------------------------


def _outputs(before: Latent, run: Run, context: NodeContext) -> tuple[Latent, Latent]:
    """The latent, and the same without the noise that is left in it."""
    made = sample(run, context)
    if made is before:
        return made, made
    clean = replace(run, leftover=0.0)
    return made, changed(made, "denoised") if run.leftover == 0 else sample_quietly(clean, made)


def sample_quietly(run: Run, made: Latent) -> Latent:
    """What the run would leave without noise."""
    from runner.engine.sandbox.ops.sampling import finished

    return changed(finished(run), "denoised", mask=made.mask)


def _leftover(sigmas: Sigmas) -> float:
    return _share_at(sigmas, sigmas.steps)


@op("SamplerCustomAdvanced", raw=True)
def sampler_custom_advanced(
    noise: Noise, guider: Guider, sampler: Symbol, sigmas: Sigmas, latent_image: Latent, context: NodeContext
) -> tuple[Latent, Latent]:
    settings = {"guider": guider, "sampler": sampler, "sigmas": sigmas, "noise": noise.enabled}
    run = Run(
        latent_image,
        guider.positive,
        settings,
        sigmas.steps,
        noise.seed,
        sigmas.share,
        _leftover(sigmas),
        noise.enabled,
    )
    return _outputs(latent_image, run, context)


@op("SamplerCustom", raw=True)
def sampler_custom(
    model: Symbol,
    add_noise: bool,
    noise_seed: int,
    cfg: float,
    positive: Conditioning,
    negative: Conditioning,
    sampler: Symbol,
    sigmas: Sigmas,
    latent_image: Latent,
    context: NodeContext,
) -> tuple[Latent, Latent]:
    settings = {"model": model, "sampler": sampler, "sigmas": sigmas, "noise": add_noise, **guidance(cfg, negative)}
    run = Run(
        latent_image, positive, settings, sigmas.steps, noise_seed, sigmas.share, _leftover(sigmas), bool(add_noise)
    )
    return _outputs(latent_image, run, context)
