"""What differs between ComfyUI versions, and which core nodes check inputs themselves (seen on 0.3.64 and 0.8.0)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LONGEST_LIST: Final = 20
"""Longer combos are not spelled out in an error: `(list of length 42)`, and input_config is null."""

DEEPEST_CHAIN: Final = 972
"""Longer chains of nodes end in a RecursionError when validated (973 on 0.3.64, 972 on 0.8.0, with Python 3.11)."""


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """What a node class checks itself; the server's own range and list checks are left out for these inputs."""

    inputs: tuple[str, ...]
    function: str
    """The name that Python puts into the error when an input is missing."""
    missing_file: str = ""
    """For a file input: what it says of a file that is not there; `{}` is the name."""
    all_zero: str = ""
    """For numbers of which one must not be 0: what it says if all are."""


def _file(name: str, function: str, kind: str) -> OwnCheck:
    return OwnCheck((name,), function, missing_file=f"Invalid {kind} file: {{}}")


_CAMERA: Final = ("horizontal_movement", "vertical_movement", "pan", "tilt", "roll", "zoom")

_SHARED: Final[Mapping[str, OwnCheck]] = {
    "LoadImage": _file("image", "LoadImage.VALIDATE_INPUTS()", "image"),
    "LoadImageMask": _file("image", "LoadImageMask.VALIDATE_INPUTS()", "image"),
    "LoadImageOutput": _file("image", "LoadImage.VALIDATE_INPUTS()", "image"),
    "WebcamCapture": _file("image", "LoadImage.VALIDATE_INPUTS()", "image"),
    "LoadLatent": _file("latent", "LoadLatent.VALIDATE_INPUTS()", "latent"),
    "LoadVideo": _file("file", "LoadVideo.validate_inputs()", "video"),
    "KlingCameraControls": OwnCheck(
        _CAMERA,
        "KlingCameraControls.validate_inputs()",
        all_zero="Invalid camera control configs: at least one of the values must be non-zero",
    ),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one ComfyUI version."""

    checks_v3_combos: bool
    """Whether the value of a combo declared `["COMBO", {options}]` must be in its list."""
    own_checks: Mapping[str, OwnCheck]


OLD: Final = Rules(
    checks_v3_combos=False,
    own_checks={**_SHARED, "LoadAudio": _file("audio", "LoadAudio.VALIDATE_INPUTS()", "audio")},
)
NEW: Final = Rules(
    checks_v3_combos=True,
    own_checks={
        **_SHARED,
        "LoadAudio": _file("audio", "LoadAudio.validate_inputs()", "audio"),
        "CustomCombo": OwnCheck(("choice",), "CustomComboNode.validate_inputs()"),
    },
)

_LAST_OLD: Final = (0, 3, 64)


def rules_for(version: str) -> Rules:
    """The rules of a ComfyUI version; 0.8.0's for newer and for unknown ones."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    return OLD if numbers and numbers <= _LAST_OLD else NEW


def missing_arguments(check: OwnCheck, given: Mapping[str, Any]) -> str:
    """Python's complaint about the inputs that the node's own check lacks; empty if it has all."""
    lacking = [repr(name) for name in check.inputs if name not in given]
    if not lacking:
        return ""
    if len(lacking) == 1:
        return f"{check.function} missing 1 required positional argument: {lacking[0]}"
    comma = "," if len(lacking) > 2 else ""
    listing = f"{', '.join(lacking[:-1])}{comma} and {lacking[-1]}"
    return f"{check.function} missing {len(lacking)} required positional arguments: {listing}"
