"""Checking a graph of 100 nodes: the server's verdict with our findings, beside reading its JSON.

    python benchmarks/bench_check.py [--nodes 100] [--rounds 300]

Goal: under 2 ms at the median, for the verdict and for all that `comfyc check` says of a graph.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from compiler import shipped_catalog
from compiler.check import check_graph, verdict

GOAL_MS = 2.0


def graph(nodes: int) -> dict[str, Any]:
    """Samplers one after another, each with texts of its own, and a picture at every end."""
    made: dict[str, Any] = {
        "checkpoint": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "model.safetensors"}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": 1024, "height": 1024, "batch_size": 1}},
    }
    latent, number = ["latent", 0], 0
    while len(made) < nodes:
        number += 1
        for role in ("positive", "negative"):
            inputs: dict[str, Any] = {"text": f"{role} text number {number}", "clip": ["checkpoint", 1]}
            made[f"{role}{number}"] = {"class_type": "CLIPTextEncode", "inputs": inputs}
        made[f"sampler{number}"] = {
            "class_type": "KSampler",
            "inputs": {
                "model": ["checkpoint", 0],
                "positive": [f"positive{number}", 0],
                "negative": [f"negative{number}", 0],
                "latent_image": latent,
                "seed": number,
                "steps": 20,
                "cfg": 7.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 0.8,
            },
        }
        latent = [f"sampler{number}", 0]
        inputs = {"samples": latent, "vae": ["checkpoint", 2]}
        made[f"decode{number}"] = {"class_type": "VAEDecode", "inputs": inputs}
        made[f"preview{number}"] = {"class_type": "PreviewImage", "inputs": {"images": [f"decode{number}", 0]}}
    return made


def timed(work: Callable[[], object], rounds: int) -> float:
    """Milliseconds of CPU at the median."""
    taken: list[float] = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append((time.process_time() - began) * 1000)
    return median(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=300)
    args = parser.parse_args()
    prompt, catalog = graph(args.nodes), shipped_catalog()
    text = json.dumps(prompt)
    assert check_graph(prompt, catalog).to_json()["findings"] == []
    rows = {
        "verdict": timed(lambda: verdict(prompt, catalog), args.rounds),
        "verdict and findings": timed(lambda: check_graph(prompt, catalog), args.rounds),
        "json.loads of it": timed(lambda: json.loads(text), args.rounds),
    }
    print(f"check a graph of {len(prompt)} nodes, CPU, p50 of {args.rounds} (catalog {catalog.version})")
    for name, taken in rows.items():
        print(f"  {name:<22} {taken:7.3f} ms")
    met = rows["verdict and findings"] < GOAL_MS
    print(f"  goal: under {GOAL_MS:g} ms: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
