"""Draws docs/nodes/*.png by running the nodes: `python docs/node_pictures.py [CLASS…]`. Needs torch."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from node_examples import EXAMPLES  # noqa: E402 - found by the path
from PIL import Image  # noqa: E402

GAP: Final = 6
GROUND: Final = (205, 205, 205)
LARGEST: Final = 60_000
"""Bytes."""
COLOURS: Final = (256, 128, 64, 32)


def main(names: list[str]) -> None:
    for name in names or EXAMPLES:
        data = drawn(name)
        (HERE / "nodes" / f"{name}.png").write_bytes(data)
        print(f"docs/nodes/{name}.png {len(data):,} bytes")


def drawn(name: str) -> bytes:
    """The panels of an example side by side, as a PNG of at most LARGEST bytes."""
    panels = [picture(panel) for panel in EXAMPLES[name].panels()]
    height = max(one.height for one in panels)
    sheet = Image.new("RGB", (sum(one.width + GAP for one in panels) - GAP, height), GROUND)
    x = 0
    for one in panels:
        sheet.paste(one, (x, 0))
        x += one.width + GAP
    for colours in COLOURS:
        target = io.BytesIO()
        sheet.quantize(colours, dither=Image.Dither.FLOYDSTEINBERG).save(target, "PNG", optimize=True)
        if target.tell() <= LARGEST:
            break
    return target.getvalue()


def picture(panel: Any) -> Image.Image:
    """[H, W, 3] or [H, W] of 0 to 1."""
    return Image.fromarray((panel * 255).round().clamp(0, 255).byte().numpy())


if __name__ == "__main__":
    main(sys.argv[1:])
