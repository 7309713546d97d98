"""Compile time of every example request, validation included, beside json.loads + json.dumps of the same graph; then
of every provider's plain request.

    python benchmarks/bench_compile.py [--rounds 2000]

Goals: p50 under 0.3 ms for wan22-i2v with two LoRA and two frames; of Fusara's 43 plain requests, none over 1 ms and
all together under 15 ms.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from typing import Any

from common import ROOT, median, ms, row

from compiler import (
    Catalog,
    Library,
    Media,
    compile_request,
    dialects,
    load_library,
    own_nodes,
    parse_request,
    shipped_catalog,
)

TWO_OF_EACH = {
    "model": "wan22-i2v",
    "prompt": "the sun climbs over the lake",
    "duration": 3,
    "width": 832,
    "height": 480,
    "file_id": "first.png",
    "end_frame_file_id": "last.png",
    "seed": 42,
    "loras": [{"id": "wan22-slow-orbit", "strength": 0.8}, {"id": "wan22-film-grain", "strength": 0.5}],
}


class AnyPicture(dict[str, Media]):
    """A picture of 1280×720 with transparent parts behind every reference."""

    def get(self, key: str, default: Any = None) -> Media:
        return Media(f"comfyc/{key}", width=1280, height=720, alpha=True)


def cases() -> dict[str, dict[str, Any]]:
    found = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "examples" / "ext").glob("*.json"))}
    return {**found, "wan22-i2v, two LoRA, two frames": TWO_OF_EACH}


def p50(call: Callable[[], object], rounds: int) -> float:
    times: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2000)
    rounds = parser.parse_args().rounds
    library, catalog, media = load_library(), shipped_catalog(), AnyPicture()
    gc.freeze()  # as `comfyc serve` does once the library is loaded
    print(f"compile, p50 of {rounds} (catalog {catalog.version})")
    row("request", "compile", "JSON twice", "ratio", "nodes")
    for name, body in cases().items():

        def compiled(body: dict[str, Any] = body) -> Any:
            provider, request = parse_request("ext", body)
            return compile_request(provider, provider.with_seed(request, 1), media, library, catalog)

        text = json.dumps(compiled().api)
        ours, theirs = p50(compiled, rounds), p50(lambda text=text: json.dumps(json.loads(text)), rounds)
        row(name, ms(ours), ms(theirs), f"{ours / theirs:.1f}×", str(len(compiled().graph)))
    plain_requests(library, rounds // 4)


def plain_requests(library: Library, rounds: int) -> None:
    """Each of Fusara's providers, with no more than it needs, on the newest core with comfyc's nodes."""
    catalog = shipped_catalog().extended(own_nodes().nodes)
    times = {one.name: p50(plain(one, library, catalog), rounds) for one in dialects()["fusara"].providers.values()}
    slowest = max(times, key=lambda name: times[name])
    print(f"\n{len(times)} plain requests of fusara, p50 of {rounds}")
    row("together", ms(sum(times.values())), "goal < 15 ms")
    row(f"slowest: {slowest}", ms(times[slowest]), "goal < 1 ms")


def plain(provider: Any, library: Library, catalog: Catalog) -> Callable[[], object]:
    least: int = provider.MEDIA[0]
    body: dict[str, Any] = {"__type": int(provider.discriminator), "Prompt": "a harbour at night"}
    body |= {"InputMediaIds": list(range(least))} if least else {}
    media = AnyPicture()

    def compiled() -> object:
        _, request = parse_request("fusara", body)
        return compile_request(provider, provider.with_seed(request, 1), media, library, catalog)

    compiled()  # makes the rows of a partner table ready, once in a process
    return compiled


if __name__ == "__main__":
    main()
