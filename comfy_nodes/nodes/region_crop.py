"""Parts of pictures cut out to be worked on, and pasted back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import image, link, number, whole

if TYPE_CHECKING:
    from torch import Tensor

    from ..ops.regions import Region


class ComfycRegionCrop:
    """Cuts the regions out of pictures [B, H, W, C]: [n, h, w, C], in the order of the regions.

    Each box is grown by `expand` of its width and height on every side, then to one aspect ratio that all crops share
    (the geometric mean of theirs), then scaled so that the longer side has `size` pixels; both sides are multiples
    of 8. A crop is moved rather than cut at the picture's border; what does not fit at all repeats the border.

    The regions that come out also know their crop. Without regions there is one crop, of all of the first picture, and
    no region, so that a graph goes on and ComfycRegionPaste changes nothing.
    Errors: ValueError for a region of a picture that is not there. Memory: the crops twice, and eight copies of one.
    """

    DISPLAY_NAME = "Region crop (comfyc)"
    CATEGORY = "comfyc/regions"
    DESCRIPTION = "Cuts regions such as faces out of pictures, all to one size."
    FUNCTION = "crop"
    RETURN_TYPES = ("IMAGE", "COMFYC_REGIONS")
    RETURN_NAMES = ("crops", "regions")
    OUTPUT_TOOLTIPS = ("The crops as a batch.", "The regions with their crops, for Region paste.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "image": image("The pictures in which the regions are."),
                "regions": link("COMFYC_REGIONS", "The regions, from Region detect."),
                "expand": number(0.25, 0.0, 4.0, "Room around a region on each side, as a share of its own size."),
                "size": whole(1024, 64, 4096, "Longer side of a crop in pixels.", 8),
            }
        }

    def crop(self, image: Tensor, regions: list[Region], expand: float, size: int) -> tuple[Tensor, list[Region]]:
        """See the class."""
        from ..ops import region_crops

        return region_crops.cropped(image, regions, expand, size)


class ComfycRegionPaste:
    """Pastes crops [n, h, w, C] back where ComfycRegionCrop took them: [B, H, W, C].

    A crop of any size is scaled to its place, and fades out over `feather` pixels at its edges, save where an edge is
    the picture's own. The base may be another size than what was cropped: places scale along. Later regions lie over
    earlier ones. Errors: ValueError if crops are missing, or regions did not come from ComfycRegionCrop. Memory: the
    pictures once, and about five copies of the largest crop at its place.
    """

    DISPLAY_NAME = "Region paste (comfyc)"
    CATEGORY = "comfyc/regions"
    DESCRIPTION = "Pastes worked-on crops back into their pictures, with feathered edges."
    FUNCTION = "paste"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("image",)
    OUTPUT_TOOLTIPS = ("The pictures with the crops in place.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "image": image("The pictures to paste into."),
                "crops": image("The crops, in the order of the regions; of any size."),
                "regions": link("COMFYC_REGIONS", "The regions of Region crop."),
                "feather": whole(16, 0, 512, "Width of the soft edge in pixels of the picture."),
            }
        }

    def paste(self, image: Tensor, crops: Tensor, regions: list[Region], feather: int) -> tuple[Tensor]:
        """See the class."""
        from ..ops import region_crops

        return (region_crops.pasted(image, crops, regions, feather),)


NODES = (ComfycRegionCrop, ComfycRegionPaste)
