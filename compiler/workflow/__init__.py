"""Workflows as ComfyUI's page saves them ⇄ the API-format graphs that it sends."""

from compiler.workflow.convert import Conversion, convert
from compiler.workflow.faults import WorkflowError
from compiler.workflow.kinds import kind_of, unwrapped
from compiler.workflow.limits import read_json
from compiler.workflow.png import is_png, read_png
from compiler.workflow.to_ui import to_ui

__all__ = ["Conversion", "WorkflowError", "convert", "is_png", "kind_of", "read_json", "read_png", "to_ui", "unwrapped"]
