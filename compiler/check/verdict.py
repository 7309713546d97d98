"""What ComfyUI's POST /prompt would say of a graph: the same error types, messages, details, coercions and outputs.

Facts observed on ComfyUI 0.3.64 and 0.8.0. The server visits every output node and everything upstream of it, depth
first; a node that leads to no output is never looked at, but its class must exist. An output is kept if everything
upstream of it is right, so a prompt may be accepted in part. Values are converted in place, before the range checks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from compiler.catalog import DYNAMIC_COMBO, MATCH_TYPE, Catalog, InputSpec, NodeSchema
from compiler.catalog_emit import declared
from compiler.check.deadly import deadly, is_link
from compiler.check.own_checks import LINK_TYPES, Files, OwnCheck
from compiler.check.rules import DEEPEST_CHAIN, LONGEST_LIST, Rules, rules_for

_Problem = dict[str, Any]
_Walk = Generator[str, bool, bool]

_CONVERT: Final[Mapping[str, Callable[[Any], Any]]] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
_EXACT: Final[Mapping[str, type]] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool, "COMBO": str}
_FAILED: Final = "prompt_outputs_failed_validation"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The server's answer, short of its HTTP form."""

    outputs: tuple[str, ...] = ()
    """Output nodes that would run; empty if the prompt is refused."""
    error: Mapping[str, Any] | None = None
    """`{type, message, details, extra_info}` if it is refused."""
    node_errors: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By node id: `{errors, dependent_outputs, class_type}`. Not empty with outputs: accepted in part."""
    prompt: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The prompt with its values converted, as the history shows it."""
    crash: str = ""
    """The exception of a prompt that is no prompt at all; the server answers 500 without a body."""
    deadly: str = ""
    """Why running this accepted prompt would end the server's worker thread; empty for nearly all."""

    @property
    def accepted(self) -> bool:
        return bool(self.outputs)


def verdict(
    prompt: Any, catalog: Catalog, *, targets: Any = None, files: Files | None = None, follow: int = 0
) -> Verdict:
    """Judges a prompt as the server of `catalog` would.

    `targets` is partial_execution_targets as it was sent; without `files`, every input file is taken to exist. A cycle
    ends where it closes; the server follows it until its stack ends, about DEEPEST_CHAIN nodes deep, which `follow`
    nodes do here.
    """
    try:
        outputs = _output_nodes(prompt, catalog, targets)
    except _Refused as refused:
        return Verdict(error=refused.error)
    except (TypeError, KeyError, IndexError) as error:
        return Verdict(crash=f"{type(error).__name__}: {error}")
    if not outputs:
        return Verdict(error=_error("prompt_no_outputs", "Prompt has no outputs"))
    return _Visit(cast("dict[str, Any]", prompt), catalog, rules_for(catalog.version), files, follow).judge(outputs)


class _Refused(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__()
        self.error = error


def _error(kind: str, message: str, details: str = "") -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": {}}


def _problem(kind: str, message: str, details: str, **extra: Any) -> _Problem:
    return {"type": kind, "message": message, "details": details, "extra_info": extra}


def _output_nodes(prompt: Any, catalog: Catalog, targets: Any) -> tuple[str, ...]:
    """The output nodes asked for; every node's class is looked up on the way, reachable or not."""
    found: list[str] = []
    for node_id in prompt:
        node = prompt[node_id]
        if "class_type" not in node:
            message = "Cannot execute because a node is missing the class_type property."
            raise _Refused(_error("invalid_prompt", message, f"Node ID '#{node_id}'"))
        schema = catalog.nodes.get(node["class_type"])
        if schema is None:
            message = f"Cannot execute because node {node['class_type']} does not exist."
            raise _Refused(_error("invalid_prompt", message, f"Node ID '#{node_id}'"))
        if schema.output_node and (targets is None or node_id in targets):
            found.append(node_id)
    return tuple(found)


def _copied(node: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(node)
    if isinstance(copy.get("inputs"), dict):
        copy["inputs"] = dict(copy["inputs"])
    return copy


class _Visit:
    """One walk over a prompt. Its walkers are generators, so that a long chain cannot exhaust Python's own stack."""

    def __init__(
        self, prompt: Mapping[str, Any], catalog: Catalog, rules: Rules, files: Files | None, follow: int
    ) -> None:
        self.prompt = {node_id: _copied(node) for node_id, node in prompt.items()}
        self.catalog, self.rules, self.files = catalog, rules, files
        self.follow, self.deepest = follow > 0, follow or DEEPEST_CHAIN
        self.seen: dict[str, tuple[bool, list[_Problem]]] = {}
        self.open: set[str] = set()

    def judge(self, outputs: tuple[str, ...]) -> Verdict:
        good: list[str] = []
        node_errors: dict[str, Any] = {}
        lines: list[str] = []
        for output in outputs:
            if self._try_output(output):
                good.append(output)
                continue
            lines += [f"{problem['message']}: {problem['details']}" for problem in self.seen[output][1]]
            self._blame(output, node_errors)
        if not good:
            error = _error(_FAILED, "Prompt outputs failed validation", "\n".join(lines))
            return Verdict((), error, node_errors, self.prompt)
        return Verdict(tuple(good), None, node_errors, self.prompt, deadly=deadly(self.prompt, good))

    def _blame(self, output: str, node_errors: dict[str, Any]) -> None:
        # Every faulty node met so far holds up this output, even one that does not feed it: so says the server.
        for node_id, (valid, problems) in self.seen.items():
            if valid or not problems:
                continue
            entry = node_errors.setdefault(
                node_id,
                {"errors": problems, "dependent_outputs": [], "class_type": self.prompt[node_id]["class_type"]},
            )
            entry["dependent_outputs"].append(output)

    def _try_output(self, output: str) -> bool:
        try:
            return self._run(output)
        except Exception as error:
            self.open.clear()
            self.seen[output] = (
                False,
                [
                    _problem(
                        "exception_during_validation",
                        "Exception when validating node",
                        str(error),
                        exception_type=type(error).__name__,
                        traceback=[],
                    )
                ],
            )
            return False

    def _run(self, output: str) -> bool:
        """Drives the walkers: each yields the node it needs next and is sent that node's answer."""
        known = self.seen.get(output)
        if known:
            return known[0]
        stack = [(output, self._walk(output))]
        self.open.add(output)
        answer: bool | None = None
        failure: Exception | None = None
        while stack:
            node_id, walker = stack[-1]
            try:
                wanted = walker.throw(failure) if failure else walker.send(cast("bool", answer))
            except StopIteration as done:
                answer, failure = done.value, None
                self.open.discard(node_id)
                stack.pop()
                continue
            except Exception as error:
                answer, failure = None, error
                self.open.discard(node_id)
                stack.pop()
                continue
            answer, failure = None, None
            if wanted in self.seen:
                answer = self.seen[wanted][0]
            elif (wanted in self.open and not self.follow) or len(stack) >= self.deepest:
                failure = RecursionError("maximum recursion depth exceeded")
            else:
                self.open.add(wanted)
                stack.append((wanted, self._walk(wanted)))
        if failure:
            raise failure
        return bool(answer)

    def _walk(self, node_id: str) -> _Walk:
        node = self.prompt[node_id]
        inputs, schema = node["inputs"], self.catalog.nodes[node["class_type"]]
        check = self.rules.own_checks.get(schema.name)
        problems: list[_Problem] = []
        links: dict[str, Any] = {}
        valid = True
        for name, spec in self._declared(schema, inputs):
            if name not in inputs:
                if spec.required:
                    problems.append(
                        _problem("required_input_missing", "Required input is missing", spec.name, input_name=name)
                    )
                continue
            value = inputs[name]
            if not isinstance(value, list):
                own = check is not None and name in check.inputs
                problem = self._value(schema, name, spec, value, inputs, own=own)
                if problem:
                    problems.append(problem)
                continue
            link = cast("list[Any]", value)
            problem = self._link(name, spec, link, links, checked=check is None or not check.sees_links)
            if problem:
                problems.append(problem)
                continue
            try:
                upstream = yield link[0]
            except Exception as error:
                upstream = False
                self.seen[link[0]] = (False, [self._inner(name, spec, link, error)])
            valid = valid and upstream
        if check:
            self._own_check(check, inputs, links, problems)
        valid = valid and not problems
        self.seen[node_id] = (valid, problems)
        return valid

    @staticmethod
    def _declared(schema: NodeSchema, inputs: Any) -> list[tuple[str, InputSpec]]:
        active = schema.active(cast("dict[str, Any]", inputs)) if isinstance(inputs, dict) else schema.by_name
        # The key of a dynamic combo is read to choose its inputs and is not checked itself (0.8.0).
        return [(name, spec) for name, spec in active.items() if spec.type != DYNAMIC_COMBO]

    def _link(
        self, name: str, spec: InputSpec, value: list[Any], links: dict[str, Any], *, checked: bool
    ) -> _Problem | None:
        if len(value) != 2:
            return _problem(
                "bad_linked_input",
                "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                name,
                input_name=name,
                input_config=declared(spec),
                received_value=value,
            )
        received = _output_type(self.catalog.nodes[self.prompt[value[0]]["class_type"]], value[1])
        links[name] = received
        if not checked or link_fits(received, spec):
            return None
        wanted = list(spec.values or ()) if spec.listed else spec.type
        return _problem(
            "return_type_mismatch",
            "Return type mismatch between linked nodes",
            f"{name}, received_type({received}) mismatch input_type({wanted})",
            input_name=name,
            input_config=declared(spec),
            received_type=received,
            linked_node=value,
        )

    def _value(
        self, schema: NodeSchema, name: str, spec: InputSpec, value: Any, inputs: dict[str, Any], *, own: bool
    ) -> _Problem | None:
        if type(value) is _EXACT.get(spec.type):  # nothing to convert: nearly always
            return None if own else self._range(schema, name, spec, value)
        wrapped = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        plain: Any = wrapped.get("__value__", value)
        inputs[name] = plain
        convert = _CONVERT.get(spec.type)
        if convert:
            try:
                inputs[name] = plain = convert(plain)
            except Exception as error:
                return _problem(
                    "invalid_input_type",
                    f"Failed to convert an input value to a {spec.type} value",
                    f"{name}, {plain}, {error}",
                    input_name=name,
                    input_config=declared(spec),
                    received_value=plain,
                    exception_message=str(error),
                )
        return None if own else self._range(schema, name, spec, plain)

    def _range(self, schema: NodeSchema, name: str, spec: InputSpec, value: Any) -> _Problem | None:
        options = spec.options
        if spec.type == "COMBO" or not options:
            return self._member(schema, name, spec, value)
        if "min" in options and value < options["min"]:
            kind, message = "value_smaller_than_min", f"Value {value} smaller than min of {options['min']}"
        elif "max" in options and value > options["max"]:
            kind, message = "value_bigger_than_max", f"Value {value} bigger than max of {options['max']}"
        else:
            return self._member(schema, name, spec, value)
        return _problem(kind, message, name, input_name=name, input_config=declared(spec), received_value=value)

    def _member(self, schema: NodeSchema, name: str, spec: InputSpec, value: Any) -> _Problem | None:
        checked = spec.listed or (self.rules.checks_v3_combos and spec.type == "COMBO")
        if not checked or (spec.values is None and spec.folder):
            return None
        values = spec.values or ()
        if value in values:
            return None
        short = len(values) <= LONGEST_LIST
        written = values if name in self.rules.tuples.get(schema.name, ()) else list(values)
        listing = str(written) if short else f"(list of length {len(values)})"
        return _problem(
            "value_not_in_list",
            "Value not in list",
            f"{name}: '{value}' not in {listing}",
            input_name=name,
            input_config=declared(spec) if short else None,
            received_value=value,
        )

    def _own_check(
        self, check: OwnCheck, inputs: Mapping[str, Any], links: Mapping[str, Any], problems: list[_Problem]
    ) -> None:
        lacking = check.missing_arguments(inputs)
        if lacking:
            raise TypeError(lacking)
        given = [inputs[name] for name in check.inputs if name != LINK_TYPES]
        fault = check.fault([None if is_link(value) else value for value in given], links, self.files)
        if fault:
            problems += [
                _problem(
                    "custom_validation_failed",
                    "Custom validation failed for node",
                    f"{name} - {fault}",
                    input_name=name,
                )
                for name in check.inputs
            ]

    @staticmethod
    def _inner(name: str, spec: InputSpec, link: list[Any], error: Exception) -> _Problem:
        return _problem(
            "exception_during_inner_validation",
            "Exception when validating inner node",
            str(error),
            input_name=name,
            input_config=declared(spec),
            exception_message=str(error),
            exception_type=type(error).__name__,
            traceback=[],
            linked_node=link,
        )


def _output_type(source: NodeSchema, slot: Any) -> Any:
    """The type of an output slot, negative ones counted from the end; a list of choices for some packs.

    Errors: IndexError and TypeError, in Python's words for the tuple (list, for V3) that the server looks it up in.
    """
    types: list[Any] = [source.choices.get(index, kind) for index, (kind, _) in enumerate(source.outputs)]
    received: Any = types[slot] if source.v3 else tuple(types)[slot]
    return list(cast("tuple[Any, ...]", received)) if isinstance(received, tuple) else received


def link_fits(received: Any, spec: InputSpec) -> bool:
    """Whether an output of type `received` may feed the input: equal, `*`, or comma lists that share a type."""
    wanted = spec.type
    if received == wanted and not spec.listed:
        return True
    if isinstance(received, list):  # a list of choices: fits the same list, any newer combo, and `*`
        return received == list(spec.values or ()) if spec.listed else wanted in ("COMBO", "*", MATCH_TYPE)
    if "*" in (received, wanted) or MATCH_TYPE in (received, wanted):
        return True
    if spec.listed or ("," not in received and "," not in wanted):
        return False
    return not _types(received).isdisjoint(_types(wanted))


def _types(union: str) -> set[str]:
    return {part.strip() for part in union.split(",")}
