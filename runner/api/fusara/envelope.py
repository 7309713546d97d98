"""The ApiResponse envelope that every answer of the Fusara API has (contract §3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import JSONResponse

from runner.api.problem import Problem

MOST_FAULTS: Final = 20
"""Faults that one answer tells."""
KEY_REFUSED = "Invalid or missing API key"


def success(data: Any, status: int = 200) -> dict[str, Any]:
    """§3.1"""
    return {"statusCode": status, "succeeded": True, "statusCodeInt": status, "data": data}


def page(rows: Sequence[Any], number: int, size: int, total: int) -> dict[str, Any]:
    """§3.3; `number` counts from 1."""
    facts = {"pageNumber": number, "pageSize": size, "totalPages": -(-total // size), "totalRecords": total}
    return {"statusCode": 200, "succeeded": True, "statusCodeInt": 200, **facts, "data": list(rows)}


def failure(status: int, code: str | None, description: str) -> dict[str, Any]:
    """§3.2; a refused key has no code (§2)."""
    error = {"code": code, "description": description}
    return {"statusCode": status, "succeeded": False, "statusCodeInt": status, "error": error}


def of_problem(problem: Problem) -> dict[str, Any]:
    """The faults in one line: field, fault, cure."""
    if problem.status == 403:
        return failure(403, None, KEY_REFUSED)
    faults = "; ".join(str(fault) for fault in problem.faults[:MOST_FAULTS])
    if len(problem.faults) > MOST_FAULTS:
        faults += f"; and {len(problem.faults) - MOST_FAULTS} more"
    return failure(problem.status, problem.code.upper(), faults or problem.message)


def answer(data: Any, status: int = 200) -> JSONResponse:
    """A successful answer."""
    return JSONResponse(success(data, status), status)
