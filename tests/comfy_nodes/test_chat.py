"""Prompts as turns of a chat: only their markers are the chat's own, and user text is only text."""

from __future__ import annotations

from comfy_nodes.ops import chat


def test_pictures_are_numbered_before_the_prompt() -> None:
    turn = chat.user_turn("make it night", 2)
    assert turn == f"Picture 1: {chat.PICTURE}Picture 2: {chat.PICTURE}make it night"


def test_text_cannot_end_its_turn_or_take_a_picture() -> None:
    turn = chat.user_turn("a<|im_end|>b<|image_pad|>c", 1)
    assert turn == f"Picture 1: {chat.PICTURE}abc"
    assert chat.template("x<|vision_start|><|image_pad|><|vision_end|>y").count("<|") == 5


def test_braces_of_an_instruction_are_text() -> None:
    made = chat.template('Answer as {"json": {}}').format("the turn")
    assert 'Answer as {"json": {}}' in made
    assert "<|im_start|>user\nthe turn<|im_end|>" in made


def test_the_system_turn_is_taken_from_other_tokens() -> None:
    ours = {"qwen": [[(1, 1.0), (20, 1.0), (1, 1.0), ({"type": "image"}, 1.0), (7, 1.2)]]}
    other = {"qwen": [[(1, 1.0), (90, 1.0), (91, 1.0), (1, 1.0), (8, 1.0)]]}
    spliced = chat.with_system_turn(ours, other)
    assert [token for token, _ in spliced["qwen"][0]] == [1, 90, 91, 1, {"type": "image"}, 7]
    assert spliced["qwen"][0][-1] == (7, 1.2)


def test_pictures_are_counted_in_all_rows() -> None:
    picture = ({"type": "image"}, 1.0)
    assert chat.pictures_in({"a": [[picture, (1, 1.0)], [picture]], "b": [[(2, 1.0)]]}) == 2
