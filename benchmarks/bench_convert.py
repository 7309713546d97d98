"""Time to convert each official template of two ComfyUI releases, beside comfy-cli's converter; and how many are right.

    python benchmarks/bench_convert.py --templates DIR[:DIR] --comfy-cli PYTHON [--rounds 7]

DIR is a `site-packages` folder with comfyui-workflow-templates 0.1.95 or 0.7.67 (COMFYC_TEST_TEMPLATES); PYTHON is the
Python of a virtual environment with comfy-cli (COMFYC_TEST_COMFY_CLI), which runs there as a program of its own and is
given the catalog as /object_info. Both are given parsed JSON and take turns; the least time of all rounds counts. Right
is what the release's own page sends, by digest. Without the two, there is nothing to compare and nothing is measured.

Goal: under half of comfy-cli's time per file.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import ROOT, median, ms, row

from compiler import shipped_catalog
from compiler.catalog_emit import object_info
from compiler.workflow import WorkflowError, convert

DIGESTS = ROOT / "tests" / "acceptance" / "template_digests"
PASSES = 3
THEIRS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from bench_convert import measured
from comfy_cli.workflow_to_api import convert_ui_to_api
files, info, rounds = json.load(open(sys.argv[2]))
def run(document):
    try:
        return convert_ui_to_api(document, info)
    except Exception:
        return None
print(json.dumps(measured(files, run, rounds)))
"""


def canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items() if key != "_meta"}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def digest(api: Any) -> str:
    text = json.dumps(canonical(api), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def measured(files: dict[str, str], run: Callable[[Any], Any], rounds: int) -> dict[str, tuple[float, str]]:
    """Seconds and digest of the result, by name."""
    documents = {name: json.loads(Path(path).read_bytes()) for name, path in files.items()}
    found: dict[str, tuple[float, str]] = {}
    gc.disable()
    for name, document in documents.items():
        best, made = float("inf"), None
        for _ in range(rounds):
            started = time.perf_counter()
            made = run(document)
            best = min(best, time.perf_counter() - started)
        found[name] = (best, digest(made))
    gc.enable()
    return found


def least(before: dict[str, tuple[float, str]], found: dict[str, tuple[float, str]]) -> dict[str, tuple[float, str]]:
    return {name: min(pair, before.get(name, pair), key=lambda one: one[0]) for name, pair in found.items()}


def ours(catalog: Any) -> Callable[[Any], Any]:
    def run(document: Any) -> Any:
        try:
            return convert(document, catalog).api
        except WorkflowError as error:
            return error.api

    return run


def theirs(python: str, files: dict[str, str], catalog: Any, rounds: int) -> dict[str, tuple[float, str]]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as given:
        json.dump([files, object_info(catalog), rounds], given)
        given.flush()
        # the helper imports `measured` from a copy without comfyc's own imports
        with tempfile.TemporaryDirectory() as folder:
            source = Path(__file__).read_text()
            kept = "\n".join(
                line for line in source.splitlines() if not line.startswith(("from common", "from compiler"))
            )
            kept = kept.replace('DIGESTS = ROOT / "tests" / "acceptance" / "template_digests"', "")
            Path(folder, "bench_convert.py").write_text(kept)
            command = [python, "-c", THEIRS, folder, given.name]
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def templates(folders: list[Path], package: str) -> dict[str, str]:
    """Template files by name, of one version of the package."""
    wanted = package.replace("-", "_").replace(" ", "-") + ".dist-info"
    for folder in folders:
        if (folder / wanted).is_dir():
            return {path.stem: str(path) for path in folder.glob("comfyui_workflow_templates*/templates/*.json")}
    return {}


def compare(facts: dict[str, Any], folders: list[Path], python: str, rounds: int) -> None:
    known = templates(folders, facts["package"])
    files = {name: known[name] for name in facts["digests"] if name in known}
    if not files:
        row(facts["package"], "not there")
        return
    catalog = shipped_catalog(facts["comfyui"])
    one: dict[str, tuple[float, str]] = {}
    other: dict[str, tuple[float, str]] = {}
    for _ in range(PASSES):  # in turn, so that what else the machine does falls on both
        one = least(one, measured(files, ours(catalog), rounds))
        other = least(other, theirs(python, files, catalog, rounds)) if python else {}
    row(f"{facts['package']}, {len(files)} files", "p50", "all", "right")
    for label, result in (("comfyc", one), ("comfy-cli", other)):
        if result:
            times = [seconds for seconds, _ in result.values()]
            right = sum(result[name][1] == facts["digests"][name] for name in files)
            row(f"  {label}", ms(median(times)), ms(sum(times)), f"{right}/{len(files)}")
    if other:
        ratios = [one[name][0] / other[name][0] for name in files]
        total = sum(one[name][0] for name in files) / sum(other[name][0] for name in files)
        row("  ratio (goal: under 0.5)", f"{median(ratios):.2f}", f"{total:.2f}", f"worst {max(ratios):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--templates", default=os.environ.get("COMFYC_TEST_TEMPLATES", ""))
    parser.add_argument("--comfy-cli", default=os.environ.get("COMFYC_TEST_COMFY_CLI", ""))
    parser.add_argument("--rounds", type=int, default=7)
    args, _ = parser.parse_known_args()
    print("convert: official templates")
    for path in sorted(DIGESTS.glob("*.json")):
        folders = [Path(word) for word in args.templates.split(os.pathsep) if word]
        compare(json.loads(path.read_text()), folders, args.comfy_cli, args.rounds)


if __name__ == "__main__":
    main()
