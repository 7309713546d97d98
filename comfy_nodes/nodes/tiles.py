"""A picture in tiles, and tiles as a picture again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import MAX_SIDE, image, link, whole

if TYPE_CHECKING:
    from torch import Tensor


class ComfycTileSplit:
    """Cuts each picture of a batch [B, H, W, C] into n tiles of one size that overlap: [B · n, h, w, C].

    There are as few tiles as the size and the least overlap allow, spread evenly, so overlaps may be wider than asked.
    They come row by row, all of one picture before the next. A picture smaller than a tile gives a tile of its size,
    filled up to whole multiples of 8 by repeating its border; ComfycTileMerge takes that off again.
    Errors: ValueError if the overlap is more than half a tile. Memory: the tiles once.
    """

    DISPLAY_NAME = "Tile split (comfyc)"
    CATEGORY = "comfyc/tiles"
    DESCRIPTION = "Cuts pictures into overlapping tiles of one size."
    FUNCTION = "split"
    RETURN_TYPES = ("IMAGE", "COMFYC_TILES", "INT")
    RETURN_NAMES = ("tiles", "layout", "count")
    OUTPUT_TOOLTIPS = ("The tiles as a batch.", "Where they lie, for Tile merge.", "How many tiles there are in all.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "image": image("The picture to cut."),
                "tile_width": whole(1024, 64, MAX_SIDE, "Width of a tile in pixels.", 8),
                "tile_height": whole(1024, 64, MAX_SIDE, "Height of a tile in pixels.", 8),
                "overlap": whole(128, 0, MAX_SIDE // 2, "The least that neighbours share, in pixels.", 8),
            }
        }

    def split(
        self, image: Tensor, tile_width: int, tile_height: int, overlap: int
    ) -> tuple[Tensor, dict[str, Any], int]:
        """See the class."""
        from ..ops import tiles

        return tiles.split(image, tile_width, tile_height, overlap)


class ComfycTileMerge:
    """Puts tiles [B · n, h, w, C] together by the layout of ComfycTileSplit: [B, H, W, C].

    Neighbours are blended over the whole of their overlap with a cosine ramp; tiles that nothing has changed give the
    very picture that was split, bit for bit. Tiles that were upscaled or shrunk, all to one size, give a picture scaled
    likewise. Errors: ValueError if there are more or fewer tiles than the layout has. Memory: the result, and two rows
    of tiles.
    """

    DISPLAY_NAME = "Tile merge (comfyc)"
    CATEGORY = "comfyc/tiles"
    DESCRIPTION = "Puts the tiles of Tile split together again, blending their overlaps."
    FUNCTION = "merge"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("image",)
    OUTPUT_TOOLTIPS = ("The picture.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "tiles": image("The tiles, in the order in which they were cut; of any size."),
                "layout": link("COMFYC_TILES", "The layout of Tile split."),
            }
        }

    def merge(self, tiles: Tensor, layout: dict[str, Any]) -> tuple[Tensor]:
        """See the class."""
        from ..ops import tiles as ops

        return (ops.merge(tiles, layout),)


NODES = (ComfycTileSplit, ComfycTileMerge)
