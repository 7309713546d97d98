"""What the vision-language text encoder of Qwen-Image-Edit is asked: turns of a chat, as text and as tokens.

Tokens are what ComfyUI's `clip.tokenize` gives (0.3.64 and 0.8.0): rows by encoder name, each row a list of
`(token, weight)`; a token is an id, or a mapping where a picture stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Tokens = Mapping[str, list[list[Any]]]

PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
_MARKER = re.compile(r"<\|[a-z_]+\|>")


def user_turn(prompt: str, pictures: int) -> str:
    """The pictures by number, as Qwen-Image-Edit 2509 knows them, then the prompt."""
    return "".join(f"Picture {number}: {PICTURE}" for number in range(1, pictures + 1)) + plain(prompt)


def template(instruction: str) -> str:
    """The whole chat with a place `{}` for the user's turn, as `clip.tokenize` takes it under `llama_template`."""
    system = plain(instruction).replace("{", "{{").replace("}", "}}")
    return f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{{}}<|im_end|>\n<|im_start|>assistant\n"


def plain(text: str) -> str:
    """Text without the chat's own markers: a prompt cannot end its turn, nor take the place of a picture."""
    return _MARKER.sub("", text)


def with_system_turn(tokens: Tokens, source: Tokens) -> dict[str, list[list[Any]]]:
    """The same tokens after the system turn of `source`: how an encoder's own instruction is kept."""
    return {
        name: [_spliced(row, other) for row, other in zip(rows, source[name], strict=True)]
        for name, rows in tokens.items()
    }


def _spliced(row: list[Any], source: list[Any]) -> list[Any]:
    return source[: _second_turn(source)] + row[_second_turn(row) :]


def _second_turn(row: list[Any]) -> int:
    opening = row[0][0]  # a turn opens with the same token each time
    return next((place for place, token in enumerate(row) if place and token[0] == opening), 0)


def pictures_in(tokens: Tokens) -> int:
    """How many pictures the encoder will see."""
    return sum(isinstance(token[0], Mapping) for row in _rows(tokens) for token in row)


def _rows(tokens: Tokens) -> Iterable[list[Any]]:
    return (row for rows in tokens.values() for row in rows)
