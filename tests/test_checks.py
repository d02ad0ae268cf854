from __future__ import annotations

import numpy as np
import pytest

from trajsim import checks
from trajsim.errors import InputError, UnsupportedError
from trajsim.references.lindblad import Lindblad
from trajsim.samplers.dicke_jump import DickeJump
from trajsim.samplers.quantum_jump import QuantumJump
from trajsim.samplers.truncated_wigner import TruncatedWigner

LIKE_TIME = ["cos(t)", [0.0, 1.0], np.array([0.0, 1.0]), {"times": []}, abs]
NOTE = "; time-dependent parameters are not supported yet"


@pytest.mark.parametrize("value", LIKE_TIME)
def test_only_parameters_of_a_model_could_depend_on_time(value: object) -> None:
    for check in (checks.coupling, checks.complex_coupling, checks.rate):
        with pytest.raises(UnsupportedError, match=f"^`x` must be a number, but .* was given{NOTE}$"):
            check("x", value)
    for check in (checks.number, checks.complex_number, checks.integer):
        with pytest.raises(InputError, match=r"^`x` must be an? (number|integer), but .* was given$"):
            check("x", value)


@pytest.mark.parametrize("value", [None, True, np.bool_(True), np.array(1.0), object])
def test_what_is_no_number_at_all(value: object) -> None:
    for check in (checks.coupling, checks.complex_coupling, checks.rate, checks.number, checks.integer):
        with pytest.raises(InputError, match=r"^`x` must be an? (number|integer), but"):
            check("x", value)


def test_an_integer_beyond_the_doubles_is_not_finite() -> None:
    with pytest.raises(InputError, match="`x` must be a finite number, but -inf was given"):
        checks.number("x", -(10**400))


def test_settings_say_nothing_of_time() -> None:
    with pytest.raises(InputError, match=r"^`tolerance` must be a number, but 'a' was given$"):
        Lindblad("a")  # type: ignore[arg-type]


@pytest.mark.parametrize("sampler", [DickeJump, QuantumJump, TruncatedWigner])
def test_tolerances_may_be_numbers_of_numpy(sampler: type) -> None:
    for kind in (np.float32, np.float64):
        tolerance = sampler(tolerance=kind(1e-6)).tolerance
        assert type(tolerance) is float
        assert tolerance == float(kind(1e-6))
    assert sampler(tolerance=np.float64(1e-6)) == sampler(tolerance=1e-6)
    for wrong in (np.float32(0.5), np.bool_(True), True, "1e-6", np.array([1e-6]), None):
        with pytest.raises(InputError, match=r"`sampler\.tolerance` must be a number from"):
            sampler(tolerance=wrong)


def test_the_tolerance_of_single_precision_may_be_single() -> None:
    assert QuantumJump(tolerance=np.float32(1e-6), precision="single").tolerance == pytest.approx(1e-6)  # type: ignore[arg-type]
