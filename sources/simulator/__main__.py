"""`python -m sources.simulator`."""

import sys

from sources.simulator.cli import main

sys.exit(main())
