"""Text as a result of a graph."""

from __future__ import annotations

from typing import Any

from ._inputs import choice, text

FORMATS = ["txt", "json", "md"]


class ComfycSaveText:
    """Writes text into ComfyUI's output folder, and shows it.

    History has the text under `text` and the file under `files`, as {filename, subfolder, type}: GET /view gives it.

    Errors: ValueError if the format is `json` and the text is not JSON.
    """

    DISPLAY_NAME = "Save text (comfyc)"
    CATEGORY = "comfyc/text"
    DESCRIPTION = "Writes text into the output folder, UTF-8, under a name that is counted up."
    FUNCTION = "save"
    OUTPUT_NODE = True
    RETURN_TYPES = ()
    RETURN_NAMES = ()
    OUTPUT_TOOLTIPS = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        prefix = "Name of the file without its number; may hold subfolders, %year%, %month%, %day% and the like."
        return {
            "required": {
                "text": ("STRING", {"forceInput": True, "tooltip": "What to write."}),
                "filename_prefix": text("comfyc", prefix),
                "format": choice(FORMATS, "The file's ending; json is checked and written with indentation."),
            }
        }

    def save(self, text: str, filename_prefix: str, format: str) -> dict[str, Any]:
        """See the class."""
        from ..ops.text_files import save_text  # asks ComfyUI for its output folder

        return {"ui": save_text(text, filename_prefix, format)}


NODES = (ComfycSaveText,)
