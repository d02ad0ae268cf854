"""``python -m trajsim``: the command line where no script is installed."""

from __future__ import annotations

import sys

from trajsim.cli import main

sys.exit(main())
