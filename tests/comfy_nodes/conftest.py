"""One thread for torch: pictures here are small, and threads that wait for one another are slow on a busy machine."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

if find_spec("torch"):
    import_module("torch").set_num_threads(1)
