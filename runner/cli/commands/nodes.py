"""Put comfyc's own ComfyUI nodes into a ComfyUI.

A link to this installation's `comfy_nodes`, or a copy where links are not allowed. Managed engines have it already."""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    linking = actions.add_parser("link", help="link the nodes into custom_nodes; run again it repairs the link")
    linking.add_argument("comfyui", metavar="COMFYUI_DIR", type=Path, help="the ComfyUI folder, or its base directory")
    linking.set_defaults(act=link)


def run(args: argparse.Namespace) -> int:
    return args.act(args)


def link(args: argparse.Namespace) -> int:
    from runner.engine.link import link_nodes

    path, how = link_nodes(args.comfyui)
    print(f"{path} ({how}); restart ComfyUI to load it")
    return 0
