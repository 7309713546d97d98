"""Our verdict beside a real ComfyUI's, on spoilt graphs: dropped inputs, wrong types and values, links, cycles.

    python tests/acceptance/differential.py URL [--seed 1] [--count 2000] [--catalog live|shipped] [--show 5]

Each graph is right at first, grown at random over the server's own node classes or compiled from a shipped template,
and is then spoilt in none to five places. The server's answer and ours must be equal: status, error, node_errors with
type, message, details and extra_info of every error, the outputs that depend on each. Two things are left out:
tracebacks and tooltips. The server visits outputs and inputs in the order of Python sets, another one in every process,
and that order decides what it meets before an exception ends a walk; so an answer agrees if it is ours for some order.
A cycle it follows until Python's stack ends, and blames whatever it looks at just then: RecursionErrors are left out.

Graphs that would end the server's worker (what `comfyc check` calls deadly) are counted and not sent. What is accepted
is taken from the queue again at once. Exit code 1 if an answer differs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1] / "support")]

import httpx2  # noqa: E402
from mutants import Mutants, Prompt  # noqa: E402

from compiler import Media, compile_template, load_library, own_nodes, parse_catalog, shipped_catalog  # noqa: E402
from compiler.catalog import Catalog, InputSpec, NodeSchema  # noqa: E402
from compiler.check.verdict import Verdict, verdict  # noqa: E402
from compiler.template.library import Template  # noqa: E402
from compiler.template.manifest import Example  # noqa: E402

ORDERS = 3000
"""How many orders are tried before an answer counts as another one."""
ENDLESS = "maximum recursion depth exceeded"
Answer = tuple[int, Any]


@dataclass
class Report:
    """What a run found."""

    version: str
    seed: int
    sent: int = 0
    deadly: int = 0
    absent: tuple[str, ...] = ()
    """Classes of the shipped catalog that this server has not: it could not load them. No graph names them."""
    reordered: int = 0
    """Of those that agree: in another order than the declared one."""
    endless: int = 0
    """Of those sent: with a RecursionError in the answer."""
    statuses: Counter[int] = field(default_factory=Counter[int])
    errors: Counter[str] = field(default_factory=Counter[str])
    """Error types that the server gave."""
    mutations: Counter[str] = field(default_factory=Counter[str])
    odd: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __str__(self) -> str:
        lines = [
            f"ComfyUI {self.version}, seed {self.seed}: {self.sent - len(self.odd)} of {self.sent} graphs agree",
            f"of these  {self.reordered} in another order of visits, {self.endless} with a cycle",
            f"not sent  {self.deadly} deadly ones; classes that this server lacks: {', '.join(self.absent) or 'none'}",
            f"answers   {_counts(self.statuses)}",
            f"errors    {_counts(self.errors)}",
            f"mutations {_counts(self.mutations)}",
        ]
        return "\n".join(lines)

    def note(self, done: Iterable[str], found: Answer) -> None:
        self.sent += 1
        self.mutations.update(done)
        self.statuses[found[0]] += 1
        self.errors.update(_error_types(found))
        self.endless += ENDLESS in json.dumps(found)


def _counts(counter: Counter[Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def compare(http: httpx2.Client, seed: int, count: int, *, shipped: bool = False) -> Report:
    """Sends `count` graphs; `shipped` judges by the shipped catalog of the server's version, with its files."""
    version = http.get("/system_stats").json()["system"]["comfyui_version"]
    http.get("/object_info")  # some lists of folders are made by the first call
    live = parse_catalog(http.get("/object_info").json(), version=version)
    catalog = stocked(shipped_catalog(version), live) if shipped else live
    files = frozenset(_input_files(live)).__contains__
    report, mutants = Report(version, seed), Mutants(catalog, seed, shipped_graphs(catalog), files)
    report.absent = tuple(sorted(shipped_catalog(version).nodes.keys() - live.nodes)) if shipped else ()
    while report.sent < count:
        prompt, done = mutants.prompt()
        targets = mutants.random.choice((None,) * 9 + (mutants.random.choices([*prompt, "nowhere"], k=2),))
        said = verdict(prompt, catalog, targets=targets, files=files)
        if said.deadly:
            report.deadly += 1
            continue
        found = ask(http, prompt, targets)
        report.note(done, found)
        if agree(said, found):
            continue
        judge = partial(verdict, targets=targets, files=files)
        if any(agree(judge(*other, follow=deep), found) for deep in depths(found) for other in others(prompt, catalog)):
            report.reordered += 1
        else:
            report.odd.append({"done": done, "prompt": prompt, "targets": targets, "ours": ours(said), "theirs": found})
    return report


def agree(said: Verdict, found: Answer) -> bool:
    """Whether our verdict is the server's answer."""
    mine = ours(said)
    return mine == found or (ENDLESS in json.dumps(found) and bounded(mine) == bounded(found))


def ask(http: httpx2.Client, prompt: Prompt, targets: Any) -> Answer:
    """The server's answer; what it accepted is dequeued, and interrupted if it has begun."""
    prompt_id = str(uuid.uuid4())
    body = {"prompt": prompt, "prompt_id": prompt_id}
    whole = body if targets is None else {**body, "partial_execution_targets": targets}
    answer = http.post("/prompt", content=json.dumps(whole))  # the client's own json= takes no NaN
    if answer.status_code == 200:
        http.post("/queue", json={"delete": [prompt_id]})
        http.post("/interrupt", json={"prompt_id": prompt_id})
    return theirs(answer.status_code, answer.json() if answer.status_code != 500 else None)


def ours(said: Verdict) -> Answer:
    """Our verdict as (status, body), without what differs from run to run."""
    if said.crash:
        return 500, None
    if said.accepted:
        return 200, comparable({"node_errors": said.node_errors})
    return 400, comparable({"error": said.error, "node_errors": said.node_errors})


def theirs(status: int, body: Any) -> Answer:
    """The server's answer in the same form."""
    if status == 500:
        return 500, None
    return status, comparable({key: value for key, value in body.items() if key in ("error", "node_errors")})


def comparable(body: Mapping[str, Any]) -> Any:
    """Errors and outputs in one order, without tracebacks and tooltips."""
    plain = _plain(json.loads(json.dumps(body)))
    for entry in plain.get("node_errors", {}).values():
        entry["errors"].sort(key=lambda error: json.dumps(error, sort_keys=True))
        entry["dependent_outputs"].sort()
    if plain.get("error"):
        plain["error"]["details"] = sorted(plain["error"]["details"].split("\n"))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in {"traceback", "tooltip"}}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def bounded(answer: Answer) -> Answer:
    """The answer without its RecursionErrors, and without nodes that have no other error."""
    status, body = answer[0], answer[1] or {"node_errors": {}}
    entries = {node_id: {**entry, "errors": [*_ended(entry)]} for node_id, entry in body["node_errors"].items()}
    left = {node_id: entry for node_id, entry in entries.items() if entry["errors"]}
    error = body.get("error")
    if error:
        error = {**error, "details": [line for line in error["details"] if line and ENDLESS not in line]}
    return status, {"error": error, "node_errors": left}


def _ended(entry: Mapping[str, Any]) -> Iterator[Any]:
    for error in entry["errors"]:
        if error["extra_info"].get("exception_type") != "RecursionError":
            yield error


def depths(found: Answer) -> Iterable[int]:
    """How deep to follow cycles: not at all, and then some depths near the end of Python's stack."""
    return (0, *range(960, 973)) if ENDLESS in json.dumps(found) else (0,)


def others(prompt: Prompt, catalog: Catalog) -> Iterator[tuple[Prompt, Catalog]]:
    """The same graph with its nodes in other orders, over classes with their inputs in other orders."""
    shuffle = random.Random(0)
    kinds = {node["class_type"] for node in prompt.values() if node.get("class_type") in catalog}
    for _ in range(ORDERS):
        ids = shuffle.sample(list(prompt), len(prompt))
        nodes = {kind: Shuffled.of(catalog.nodes[kind], shuffle.random()) for kind in kinds}
        yield {node_id: prompt[node_id] for node_id in ids}, catalog.extended(nodes)


@dataclass(frozen=True)
class Shuffled(NodeSchema):
    """A class whose inputs come in another order, the slots of a growing input too."""

    order: float = 0

    @staticmethod
    def of(schema: NodeSchema, order: float) -> Shuffled:
        return Shuffled(**{one.name: getattr(schema, one.name) for one in fields(schema)}, order=order)

    def active(self, given: Mapping[str, Any]) -> Mapping[str, InputSpec]:
        found = list(super().active(given).items())
        return dict(random.Random(self.order).sample(found, len(found)))


def stocked(catalog: Catalog, live: Catalog) -> Catalog:
    """A shipped catalog with the model and input files that the server lists, and with our pack if it has that.

    Without the classes that this server could not load: a ComfyUI without torchaudio has none for sound.
    """
    known = catalog.extended(own_nodes().nodes).nodes.items()
    catalog = replace(catalog, nodes={kind: schema for kind, schema in known if kind in live})
    files: dict[str, tuple[str, ...]] = {}
    for kind, schema in catalog.nodes.items():
        for spec in schema.inputs:
            if spec.folder and kind in live:
                listed = live.nodes[kind].by_name[spec.name].values or ()
                files[spec.folder] = tuple(name for name in listed if name not in spec.options.get("beside_files", ()))
    return catalog.with_files(files)


def shipped_graphs(catalog: Catalog) -> Iterator[Prompt]:
    """The examples of the shipped templates, compiled for this server as if it had every model file."""
    library = load_library()
    target = shipped_catalog(catalog.version).extended(own_nodes().nodes)  # its model folders take any name
    for template in library.templates.values():
        names = {name for name, param in template.manifest.params.items() if param.media}
        for one in template.manifest.examples if not target.lacks(tuple(template.skeleton.classes)) else ():
            media = {one.params[name]: _medium(template, name, one) for name in names & set(one.params)}
            options = {"stack": one.stack, "profile": one.profile, "outputs": one.outputs}
            yield compile_template(template.id, one.params, media, library, target, **options).api


def _medium(template: Template, name: str, example: Example) -> Media:
    return Media(example.params[name], template.manifest.params[name].media or "image")


def _input_files(catalog: Catalog) -> Iterator[Any]:
    for schema in catalog.nodes.values():
        for spec in schema.inputs:
            if schema.name.startswith("Load"):
                yield from spec.values or ()


def _error_types(found: Answer) -> Iterator[str]:
    body = found[1] or {}
    if body.get("error"):
        yield body["error"]["type"]
    for entry in body.get("node_errors", {}).values():
        yield from (error["type"] for error in entry["errors"])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="address of a ComfyUI, one that nobody else uses")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000, help="graphs to send (default: 2000)")
    parser.add_argument("--catalog", choices=("live", "shipped"), default="live", help="what our verdict goes by")
    parser.add_argument("--show", type=int, default=5, help="differing graphs to print, as JSON")
    args = parser.parse_args()
    with httpx2.Client(base_url=args.url, timeout=60, trust_env=False) as http:
        report = compare(http, args.seed, args.count, shipped=args.catalog == "shipped")
    print(report)
    for case in report.odd[: args.show]:
        print(json.dumps(case))
    return 1 if report.odd else 0


if __name__ == "__main__":
    sys.exit(main())
