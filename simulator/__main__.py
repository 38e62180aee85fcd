"""``python -m simulator``: the command line. With ``-P``, nothing is imported from the current folder."""

import sys

from simulator.cli import main

sys.exit(main())
