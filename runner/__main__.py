"""`python -m runner` is `comfyc`."""

import sys

from runner.cli import main

sys.exit(main())
