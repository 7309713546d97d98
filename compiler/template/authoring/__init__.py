"""Making templates: from a workflow to graph.json and manifest.json, and finding what is wrong with one."""

from compiler.template.authoring.choices import Choice
from compiler.template.authoring.lint import lint, lint_folder
from compiler.template.authoring.propose import Proposal, propose
from compiler.template.authoring.write import documents

__all__ = ["Choice", "Proposal", "documents", "lint", "lint_folder", "propose"]
