"""The bytes of binary frames, and what a prompt queue keeps."""

from __future__ import annotations

import json
from struct import unpack

import pytest

from runner.engine.sandbox import wire
from runner.engine.sandbox.prompt_queue import Item, PromptQueue


@pytest.mark.parametrize(("image", "kind"), [(b"\xff\xd8\xff\xe0jpeg", 1), (b"\x89PNG\r\n\x1a\n", 2)])
def test_a_preview_is_event_1_its_format_and_the_picture(image: bytes, kind: int) -> None:
    frame = wire.preview(image)
    assert unpack(">II", frame[:8]) == (1, kind)
    assert frame[8:] == image


def test_a_preview_with_metadata_carries_json_of_its_length() -> None:
    frame = wire.preview_with_metadata(b"\xff\xd8\xff", {"node_id": "a", "prompt_id": "p"})
    event, length = unpack(">II", frame[:8])
    assert event == 4
    assert json.loads(frame[8 : 8 + length]) == {"node_id": "a", "prompt_id": "p", "image_type": "image/jpeg"}
    assert frame[8 + length :] == b"\xff\xd8\xff"


def test_a_text_frame_names_its_node() -> None:
    assert wire.progress_text("12", "ünder way") == b"\x00\x00\x00\x03\x00\x00\x00\x0212" + "ünder way".encode()


def test_messages_write_nan_as_comfyui_does() -> None:
    assert wire.message("status", {"x": float("nan")}) == '{"type": "status", "data": {"x": NaN}}'


def queue_of(*items: Item) -> PromptQueue:
    queue = PromptQueue(lambda: None)
    for item in items:
        queue.put(item)
    return queue


def item(number: float, name: str, content: int = 0) -> Item:
    return Item(number, name, {"1": {"inputs": {"v": content}}}, {}, ["1"])


def taken(queue: PromptQueue) -> list[str]:
    found: list[str] = []
    while (delivery := queue.take(0.0)) is not None:
        found.append(delivery.item.prompt_id)
        queue.finish(delivery.ticket, {"n": len(found)})
    return found


def test_lower_numbers_first_and_equal_numbers_by_id() -> None:
    assert taken(queue_of(item(2, "c"), item(1, "b"), item(1, "a"), item(-5, "z"))) == ["z", "a", "b", "c"]


def test_two_pending_prompts_that_cannot_be_compared_are_refused_but_both_run() -> None:
    queue = queue_of(item(1, "same", 1))
    with pytest.raises(TypeError):
        queue.put(item(1, "same", 2))
    assert taken(queue) == ["same", "same"]


def test_delete_drops_one_of_an_id_and_clear_all() -> None:
    queue = queue_of(item(1, "a"), item(2, "a"), item(3, "b"))
    queue.delete(["a", "unknown"])
    assert [found.number for found in queue.current()[1]] == [2, 3]
    queue.clear()
    assert queue.remaining() == 0


def test_history_gives_the_newest_or_from_an_offset() -> None:
    queue = queue_of(*(item(number, str(number)) for number in range(5)))
    taken(queue)
    assert list(queue.history(2)) == ["3", "4"]
    assert list(queue.history(2, 0)) == ["0", "1"]
    assert list(queue.history(0)) == []
    queue.forget(["3", "unknown"])
    assert list(queue.history()) == ["0", "1", "2", "4"]
