"""Fusara Integration API 4.0: 43 providers, told apart by `__type`. Contract: its documentation of 2026-03-21."""

KEY = "__type"
OPERATIONS = {
    "generate": "POST /api/integration/imaging/generate",
    "upscale": "POST /api/integration/imaging/upscale",
    "outpaint": "POST /api/integration/imaging/outpaint",
    "hyperlora": "POST /api/integration/imaging/hyperlora",
}
