"""docs/api.md and docs/fusara.md name every path and every figure that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from api_double import make_api
from prometheus_client.metrics_core import Metric

from runner.telemetry import Telemetry

DOCS = Path(__file__).parents[2] / "docs"
PAGE = "".join((DOCS / name).read_text("utf-8") for name in ("api.md", "fusara.md"))


def test_every_path_is_described(tmp_path: Path) -> None:
    paths = {route.path for route in make_api(tmp_path).app.router.routes} - {"/", "/media/{key:path}"}
    assert {path for path in paths if f"{path}`" not in PAGE} == set()
    written = set(re.findall(r"`(?:GET |POST )?(/[a-z][\w/{}.]*)`", PAGE))
    assert written <= paths


def test_every_figure_is_described() -> None:
    figures = {_name(metric) for metric in Telemetry().registry.collect()}
    assert set(re.findall(r"`(comfyc_[a-z_]+)`", PAGE)) == figures


def _name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name
