"""Every node of the pack has a graph in tests/acceptance that a real ComfyUI runs, or a reason why not."""

from __future__ import annotations

from pathlib import Path

import yaml

from compiler import own_nodes

TABLE = yaml.safe_load((Path(__file__).parents[1] / "acceptance/nodes_real.yaml").read_text())


def test_every_class_is_run_by_a_real_comfyui() -> None:
    run = {kind for case in TABLE["cases"] for kind, _ in case["nodes"].values()}
    assert set(own_nodes().nodes) - run == set(TABLE["elsewhere"])
