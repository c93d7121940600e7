"""Settings that all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine that is busy elsewhere must not fail a test.
settings.register_profile("moorage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("moorage"), max_examples=600)
settings.load_profile("moorage")
