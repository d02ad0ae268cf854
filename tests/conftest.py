"""Settings of all tests: property tests draw the same examples in every run, however loaded the machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("reproducible", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("reproducible")
