"""Messages of an engine, made safe to show."""

from __future__ import annotations

import json

import pytest

from runner.engine.redact import LIMIT, redact, scrub


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("No such file: '/home/u/ComfyUI/models/vae/x.pt'", "No such file: '…/x.pt'"),
        ("cannot open /home/John Smith/ComfyUI/input/a b.png", "cannot open …/a b.png"),
        (r"C:\Users\me\ComfyUI\models\a.safetensors is broken", "…/a.safetensors is broken"),
        (r"\\server\share\models\a.safetensors", "…/a.safetensors"),
        ("~/ComfyUI/main.py failed", "…/main.py failed"),
        ("see https://example.org/a/b/c for 1/2 and/or w/h", "see https://example.org/a/b/c for 1/2 and/or w/h"),
        ("ratio 16/9, loras/x.safetensors", "ratio 16/9, loras/x.safetensors"),
        ("a\n\n  b  \n", "a\n  b"),
        ('Traceback (most recent call last):\n  File "/x/y.py", line 3, in f\nValueError: no', "ValueError: no"),
        ("", ""),
    ],
)
def test_paths_and_tracebacks_go(message: str, shown: str) -> None:
    assert redact(message) == shown


def test_input_values_go_but_file_names_and_short_words_stay() -> None:
    message = "no 'my long secret prompt' with x.safetensors and euler"
    values = ["my long secret prompt", "my long", "x.safetensors", "euler", ""]
    assert redact(message, values) == "no '[input]' with x.safetensors and euler"


@pytest.mark.parametrize("message", ["bad value 'line one\nline two'", r"bad value 'line one\nline two'"])
def test_a_value_is_found_as_it_is_and_escaped(message: str) -> None:
    assert redact(message, ["line one\nline two"]) == "bad value '[input]'"


def test_long_messages_are_cut() -> None:
    assert len(redact("x" * 9999)) == LIMIT + 1


def test_scrub_keeps_the_shape_of_node_errors() -> None:
    error = {
        "type": "custom_validation_failed",
        "details": "image - /srv/in/x.png",
        "extra_info": {"traceback": ["secret"], "current_inputs": {"text": "secret"}, "min": 1, "list": ["a", 2, None]},
    }
    scrubbed = scrub({"7": {"errors": [error], "dependent_outputs": ["9"], "class_type": "LoadImage"}})
    assert scrubbed["7"]["errors"][0]["details"] == "image - …/x.png"
    assert scrubbed["7"]["errors"][0]["extra_info"] == {"min": 1, "list": ["a", 2, None]}
    assert "secret" not in json.dumps(scrubbed)
