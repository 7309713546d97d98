"""The command line. A command is one file in `commands/`, found by its name.

Such a file has a docstring whose first line is the command's help, `configure(parser)` which declares the arguments,
and `run(args) -> int`, the exit code. It imports what is heavy inside `run`, so that `comfyc --help` stays quick.

Exit codes: 0 done, 1 the work failed, 2 the input is wrong (one line for each fault on stderr).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from compiler.errors import ComfycError
from runner.cli.faults import WorkFailed
from runner.engine.base import EngineError

DONE: Final = 0
FAILED: Final = 1
WRONG: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    args = build_parser().parse_args(argv)
    out: Any = sys.stdout
    if hasattr(out, "reconfigure"):  # for half a pair of surrogates, or a terminal without Unicode
        out.reconfigure(errors="backslashreplace")
    try:
        return args.run(args)
    except (WorkFailed, EngineError) as error:
        return complain(error, FAILED)
    except ComfycError as error:
        return complain(error, WRONG)
    except KeyboardInterrupt:
        return FAILED
    except BrokenPipeError:  # the reader of our output, e.g. `head`, has seen enough
        sys.stderr.close()
        return DONE


def complain(error: Exception, code: int) -> int:
    """One line for each fault on stderr."""
    for line in str(error).splitlines() or [type(error).__name__]:
        print(f"comfyc: {line}", file=sys.stderr)
    return code


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; docs/commands.md is generated from it."""
    parser = argparse.ArgumentParser(
        prog="comfyc",
        description="Compiles image and video generation API requests into ComfyUI graphs, and runs them.",
        epilog="Exit codes: 0 done, 1 the work failed, 2 the input is wrong.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module in find_commands():
        text = (module.__doc__ or "").strip()
        command = commands.add_parser(name, help=text.partition("\n")[0].rstrip("."), description=text)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
        command.set_defaults(run=module.run)
        module.configure(command)
    return parser


def find_commands() -> Iterable[tuple[str, ModuleType]]:
    """(name, module) of each file in commands/, by name."""
    for path in sorted((Path(__file__).parent / "commands").glob("[a-z]*.py")):
        yield path.stem, import_module(f"runner.cli.commands.{path.stem}")
