from __future__ import annotations

import os
import sys
from pathlib import Path

# one thread, as every rank has: small matrices do not gain from more, and wait for each other on a busy machine
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))  # the helpers beside the tests, in any import mode

from hypothesis import settings  # noqa: E402 - after the threads are set

# the same examples in every run: a red test is a bug, not bad luck
settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("fixed")
