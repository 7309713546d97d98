"""Samplers: they report steps and cost time like the real ones, and decide what is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from runner.engine.sandbox.node import NodeContext
from runner.engine.sandbox.ops.paint import preview
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Conditioning, Latent, Sketch, Symbol, digest

KEEP: Final = 0.85
"""The share of an input picture that a sampler with hardly any denoise leaves visible."""
TEXT_LENGTH: Final = 80
MAX_DENOISE: Final = 0.9999
"""From here on a sampler's result holds nothing of its input, as in ComfyUI."""


@dataclass(frozen=True)
class Run:
    """One sampler run."""

    latent: Latent
    positive: Conditioning
    settings: Mapping[str, Any]
    """All that changes the result, beside latent and positive."""
    steps: int
    """Steps that really run."""
    seed: int
    denoise: float = 1.0
    """Noise at the first step run (1 = starts from pure noise)."""
    leftover: float = 0.0
    """Noise left at the end."""
    adds_noise: bool = True


def sample(run: Run, context: NodeContext) -> Latent:
    """Runs the steps and gives the latent to draw. Without any step the latent comes back unchanged.

    Errors: Interrupted.
    """
    if run.steps <= 0:
        return run.latent
    done = finished(run)
    for step in range(1, run.steps + 1):
        context.sleep(context.step_seconds)
        share = 1 - run.leftover - (run.denoise - run.leftover) * (1 - step / run.steps)
        context.progress(step, run.steps, preview(done, share, done.digest))
    return done


def finished(run: Run) -> Latent:
    """What the run leaves behind."""
    mark = digest("sample", run.latent, run.positive, run.settings, run.steps, run.seed, run.denoise, run.leftover)
    before = run.latent.art
    # a second pass over unfinished work goes on with it: nothing of its noise is 'kept'
    fresh = run.denoise >= MAX_DENOISE or (isinstance(before, Sketch) and before.noise > 0)
    known = before if isinstance(before, Sketch) else None
    shows_base = run.latent.mask is not None or (before is not None and not fresh)
    sketch = Sketch(
        mark,
        run.positive.text or (known.text if known else ""),
        run.positive.references,
        run.positive.guides + run.latent.guides,
        run.latent if shows_base else (known.base if known and known.noise > 0 else None),
        0.0 if fresh else KEEP * (1 - run.denoise),
        run.leftover,
    )
    return replace(run.latent, digest=mark, art=sketch, caption=_caption(sketch.text, run, known))


def _caption(text: str, run: Run, known: Sketch | None) -> str:
    if known is not None and run.latent.caption and not run.adds_noise:
        return run.latent.caption
    short = " ".join(text.split())[:TEXT_LENGTH]
    return f"{short} · seed {run.seed}" if short else f"seed {run.seed}"


def guidance(cfg: float, negative: Any) -> dict[str, Any]:
    """The settings that come of cfg and negative: at cfg 1 the negative has no effect."""
    return {"cfg": cfg} if cfg == 1.0 else {"cfg": cfg, "negative": negative}


@op("KSampler", raw=True)
def k_sampler(
    model: Symbol,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    context: NodeContext,
    denoise: float = 1.0,
) -> Latent:
    settings = {"model": model, "sampler": sampler_name, "scheduler": scheduler, **guidance(cfg, negative)}
    count = steps if denoise > 0 else 0
    return sample(Run(latent_image, positive, settings, count, seed, denoise), context)


@op("KSamplerAdvanced", raw=True)
def k_sampler_advanced(
    model: Symbol,
    add_noise: str,
    noise_seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    start_at_step: int,
    end_at_step: int,
    return_with_leftover_noise: str,
    context: NodeContext,
) -> Latent:
    first, last = min(start_at_step, steps), min(end_at_step, steps)
    settings = {"model": model, "sampler": sampler_name, "scheduler": scheduler, **guidance(cfg, negative)}
    settings |= {"schedule": steps, "first": first, "noise": add_noise}
    leftover = 1 - last / steps if return_with_leftover_noise == "enable" else 0.0
    adds = add_noise == "enable"
    run = Run(latent_image, positive, settings, last - first, noise_seed, 1 - first / steps, leftover, adds)
    return sample(run, context)
