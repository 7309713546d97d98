"""Studio: a page that shows what requests become, runs them, and opens workflows. Its calls need a key, as all do."""

from runner.api.studio.routes import studio_routes

__all__ = ["studio_routes"]
