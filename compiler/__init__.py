"""comfyc's compiler: a validated request in, a ComfyUI graph out. Pure: no socket, no clock, no torch."""

from compiler.catalog import Catalog
from compiler.catalog_parse import parse_catalog
from compiler.compile import compile_request, compile_template
from compiler.errors import ComfycError, Fault, GraphError, RequestError, TargetError, TemplateError
from compiler.loras import LoraUse
from compiler.media import AssetRef, Media, MediaRef
from compiler.plan import Compiled, Output, Plan, Unsupported
from compiler.provider import Dialect, Provider, Request
from compiler.providers import dialects, parse_request, recognise
from compiler.shipped import own_nodes, shipped_catalog, shipped_versions
from compiler.template.bind import template_media, template_with_seed
from compiler.template.library import Library, load_library
from compiler.template.manifest import Asset

__all__ = [
    "Asset",
    "AssetRef",
    "Catalog",
    "ComfycError",
    "Compiled",
    "Dialect",
    "Fault",
    "GraphError",
    "Library",
    "LoraUse",
    "Media",
    "MediaRef",
    "Output",
    "Plan",
    "Provider",
    "Request",
    "RequestError",
    "TargetError",
    "TemplateError",
    "Unsupported",
    "compile_request",
    "compile_template",
    "dialects",
    "load_library",
    "own_nodes",
    "parse_catalog",
    "parse_request",
    "recognise",
    "shipped_catalog",
    "shipped_versions",
    "template_media",
    "template_with_seed",
]
