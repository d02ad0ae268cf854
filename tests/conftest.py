"""Settings of all tests: one thread, and property tests that draw the same examples in every run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# one thread, as every rank has: small matrices do not gain from more, and wait for each other on a busy machine
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))  # the helpers beside the tests, in any import mode

from hypothesis import HealthCheck, settings  # noqa: E402 - after the threads are set

# a red test is a bug, not bad luck and not a loaded machine
settings.register_profile(
    "reproducible", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("reproducible")
