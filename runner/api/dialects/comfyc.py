"""The house's own API: templates by id, jobs of every dialect, uploads. Its document is v1/openapi.json.

Errors are `{"message", "code", "faults": [{"field", "fault", "cure", "code"}]}`; states are our own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from starlette.routing import BaseRoute, Route

from compiler import Library
from runner.api.desk import Desk
from runner.api.dialect import Dialect
from runner.api.links import Links
from runner.api.problem import Problem
from runner.api.v1.calls import Calls
from runner.api.v1.describe import DOCUMENT, JOBS_PATH, TEMPLATE_PATH, with_templates
from runner.api.v1.encode import encode_job
from runner.job import Job, State
from runner.work import TEMPLATES


class Comfyc(Dialect):
    """Ids are the job's own; a template's parameters are the fields of the body."""

    name: ClassVar[str] = TEMPLATES
    prefixes: ClassVar[tuple[str, ...]] = ("/v1/templates", "/v1/jobs", "/v1/files")
    states: ClassVar[Mapping[State, Any]] = {state: state.value for state in State}
    document: ClassVar[Mapping[str, Any]] = DOCUMENT

    def routes(self, desk: Desk) -> Sequence[BaseRoute]:
        """Templates, files and jobs."""
        calls = Calls(desk)
        return [
            Route("/v1/templates", calls.templates, methods=["GET"]),
            Route(JOBS_PATH, calls.create, methods=["POST"]),
            Route(TEMPLATE_PATH, calls.template, methods=["GET"]),
            Route("/v1/files", calls.upload, methods=["POST"]),
            Route("/v1/jobs", calls.jobs, methods=["GET"]),
            Route("/v1/jobs/{id}", calls.status, methods=["GET"]),
            Route("/v1/jobs/{id}", calls.cancel, methods=["DELETE"]),
            Route("/v1/jobs/{id}/events", calls.events, methods=["GET"]),
        ]

    def describe(self, library: Library) -> Mapping[str, Any]:
        """With a path and a schema for each template."""
        return with_templates(library.templates.values(), library)

    def encode_job(self, job: Job, links: Links) -> dict[str, Any]:
        """ComfycJob, of a job of any dialect."""
        return encode_job(job, links)

    def encode_webhook(self, job: Job, links: Links) -> dict[str, Any]:
        """As a status answer."""
        return encode_job(job, links)

    def encode_problem(self, problem: Problem) -> dict[str, Any]:
        """ComfycProblem."""
        return problem.to_json()


DIALECT: Final = Comfyc()
