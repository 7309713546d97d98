"""Text, numbers and choices."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from runner.engine.sandbox.node import NodeResult
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Latent, Picture


@op("PrimitiveInt", "PrimitiveFloat", "PrimitiveBoolean", "PrimitiveString", "PrimitiveStringMultiline", raw=True)
def primitive(value: Any) -> Any:
    return value


@op("CustomCombo")
def custom_combo(choice: str) -> str:
    return choice


@op("ComfySwitchNode", raw=True)
def switch(switch: bool, on_false: Any = None, on_true: Any = None) -> NodeResult:
    """One of two values; the other side is never computed (see `lazy_inputs`)."""
    return NodeResult((on_true if switch else on_false,))


@op("StringConcatenate")
def concatenate(string_a: str, string_b: str, delimiter: str) -> str:
    return delimiter.join((string_a, string_b))


@op("StringSubstring")
def substring(string: str, start: int, end: int) -> str:
    return string[start:end]


@op("StringLength")
def length(string: str) -> int:
    return len(string)


CASES: Final[Mapping[str, Callable[[str], str]]] = {
    "UPPERCASE": str.upper,
    "lowercase": str.lower,
    "Capitalize": str.capitalize,
    "Title Case": str.title,
}
TRIMS: Final[Mapping[str, Callable[[str], str]]] = {"Both": str.strip, "Left": str.lstrip, "Right": str.rstrip}
COMPARISONS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "Equal": str.__eq__,
    "Starts With": str.startswith,
    "Ends With": str.endswith,
}


@op("CaseConverter")
def convert_case(string: str, mode: str) -> str:
    return CASES[mode](string)


@op("StringTrim")
def trim(string: str, mode: str) -> str:
    return TRIMS[mode](string)


@op("StringReplace")
def replace_text(string: str, find: str, replace: str) -> str:
    return string.replace(find, replace)


@op("StringContains")
def contains(string: str, substring: str, case_sensitive: bool) -> bool:
    return substring in string if case_sensitive else substring.lower() in string.lower()


@op("StringCompare")
def compare(string_a: str, string_b: str, mode: str, case_sensitive: bool) -> bool:
    pair = (string_a, string_b) if case_sensitive else (string_a.lower(), string_b.lower())
    return bool(COMPARISONS[mode](*pair))


# --- regular expressions ---------------------------------------------------------------------------------------


def _flags(case_insensitive: bool, multiline: bool, dotall: bool) -> int:
    return (case_insensitive and re.I) | (multiline and re.M) | (dotall and re.S)


@op("RegexMatch")
def regex_match(string: str, regex_pattern: str, case_insensitive: bool, multiline: bool, dotall: bool) -> bool:
    """False for a pattern that is not one."""
    try:
        return re.search(regex_pattern, string, _flags(case_insensitive, multiline, dotall)) is not None
    except re.error:
        return False


@op("RegexExtract")
def regex_extract(
    string: str,
    regex_pattern: str,
    mode: str,
    case_insensitive: bool,
    multiline: bool,
    dotall: bool,
    group_index: int,
) -> str:
    """Matches or groups, one on a line; empty where nothing fits or the pattern is not one."""
    try:
        found = list(re.finditer(regex_pattern, string, _flags(case_insensitive, multiline, dotall)))
    except re.error:
        return ""
    if mode == "All Matches":  # of a pattern with groups, the first group
        return "\n".join(match.group(min(1, match.re.groups)) or "" for match in found)
    chosen = found[:1] if mode.startswith("First") else found
    group = 0 if mode == "First Match" else group_index
    return "\n".join(match.group(group) for match in chosen if match.re.groups >= group)


@op("RegexReplace")
def regex_replace(
    string: str,
    regex_pattern: str,
    replace: str,
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    count: int = 0,
) -> str:
    return re.sub(regex_pattern, replace, string, count=count, flags=_flags(case_insensitive, multiline, dotall))


# --- data set texts (ComfyUI 0.8): their output is a list inside one value -------------------------------------


@op("AddTextPrefix")
def add_prefix(texts: str, prefix: str) -> list[str]:
    return [prefix + texts]


@op("AddTextSuffix")
def add_suffix(texts: str, suffix: str) -> list[str]:
    return [texts + suffix]


@op("ReplaceText")
def replace_in_texts(texts: str, find: str, replace: str) -> list[str]:
    return [texts.replace(find, replace)]


@op("StripWhitespace")
def strip_whitespace(texts: str) -> list[str]:
    return [texts.strip()]


@op("TextToLowercase")
def to_lowercase(texts: str) -> list[str]:
    return [texts.lower()]


@op("TextToUppercase")
def to_uppercase(texts: str) -> list[str]:
    return [texts.upper()]


@op("TruncateText")
def truncate_text(texts: str, max_length: int) -> list[str]:
    return [texts[:max_length]]


@op("MergeTextLists", lists=True)
def merge_text_lists(texts: Sequence[str]) -> list[list[str]]:
    return [list(texts)]


# --- showing ---------------------------------------------------------------------------------------------------


@op("PreviewAny", raw=True)
def preview_any(source: Any = None) -> NodeResult:
    """Any value as a text."""
    return NodeResult((), {"text": [shown(source)]})


def shown(value: Any) -> str:
    """A value in words: texts and numbers as they are, pictures and symbols by what they are."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return str(value)
    if value is None or isinstance(value, (list, dict)):
        return "None" if value is None else json.dumps(value, indent=4, default=shown)
    if isinstance(value, np.ndarray):
        shape = list(cast("Picture", value).shape)
        return f"{'mask' if len(shape) == 3 else 'image'} of shape {shape}"
    if isinstance(value, Latent):
        return f"latent of shape {list(value.shape)}"
    return f"{getattr(value, 'type', type(value).__name__)} {getattr(value, 'digest', '')[:8]}".rstrip()
