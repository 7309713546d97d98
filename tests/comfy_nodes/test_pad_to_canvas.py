"""Pictures on canvases, the mask beside a plain loop over its pixels."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from node_pack import run, waves  # noqa: E402 - needs torch

from comfy_nodes.nodes.canvas_pad import ANCHORS  # noqa: E402

PLACES = {
    "center": (23, 13),
    "top": (23, 0),
    "bottom": (23, 27),
    "left": (0, 13),
    "right": (46, 13),
    "top-left": (0, 0),
    "top-right": (46, 0),
    "bottom-left": (0, 27),
    "bottom-right": (46, 27),
}


@pytest.mark.parametrize("anchor", ANCHORS)
def test_anchors(anchor: str) -> None:
    image = waves(50, 37)
    made, mask, x, y = run("ComfycPadToCanvas", image=image, width=96, height=64, anchor=anchor, feather=0)
    assert (x, y) == PLACES[anchor]
    assert torch.equal(made[:, y : y + 37, x : x + 50], image)
    inside = torch.zeros(64, 96)
    inside[y : y + 37, x : x + 50] = 1
    assert torch.equal(mask[0], 1 - inside)
    assert (made[0][mask[0] == 1] == 0.5).all()


@settings(max_examples=25, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 30), st.sampled_from(ANCHORS))
def test_feathers_beside_a_loop(width: int, height: int, feather: int, anchor: str) -> None:
    image = waves(width, height)
    _, mask, x, y = run("ComfycPadToCanvas", image=image, width=48, height=40, anchor=anchor, feather=feather)
    for row in range(height):
        for column in range(width):
            across = [column + 0.5 for _ in range(x > 0)] + [width - column - 0.5 for _ in range(x + width < 48)]
            down = [row + 0.5 for _ in range(y > 0)] + [height - row - 0.5 for _ in range(y + height < 40)]
            values = [max(0.0, 1 - away / min(feather, width / 2)) ** 2 for away in across if feather]
            values += [max(0.0, 1 - away / min(feather, height / 2)) ** 2 for away in down if feather]
            assert float(mask[0, y + row, x + column]) == pytest.approx(max(values, default=0), abs=1e-5)


@pytest.mark.parametrize(("fill", "level"), [("gray", 0.5), ("black", 0.0), ("white", 1.0)])
def test_new_area_of_a_picture_with_alpha_is_opaque(fill: str, level: float) -> None:
    made, *_ = run("ComfycPadToCanvas", image=waves(20, 20, 4), width=32, height=20, fill=fill)
    assert made[0, 3, 0].tolist() == [level, level, level, 1.0]


def test_edge_repeats_the_border() -> None:
    image = waves(20, 16)
    made, _, x, y = run("ComfycPadToCanvas", image=image, width=64, height=48, fill="edge", anchor="bottom-right")
    assert torch.equal(made[:, : y + 1, x:], image[:, :1].expand(-1, y + 1, -1, -1))
    assert torch.equal(made[:, y:, : x + 1], image[:, :, :1].expand(-1, -1, x + 1, -1))


@pytest.mark.parametrize(("size", "inner"), [((100, 50), (64, 32)), ((30, 90), (16, 48)), ((64, 48), (64, 48))])
def test_what_is_larger_is_scaled_down(size: tuple[int, int], inner: tuple[int, int]) -> None:
    image = waves(*size)
    made, mask, x, y = run("ComfycPadToCanvas", image=image, width=64, height=48, feather=0)
    assert made.shape == (1, 48, 64, 3)
    assert int((mask == 0).sum()) == inner[0] * inner[1]
    assert (x, y) == ((64 - inner[0]) // 2, (48 - inner[1]) // 2)
    assert abs(float(made[:, y : y + inner[1], x : x + inner[0]].mean() - image.mean())) < 0.01
