from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.errors import InputError
from trajsim.grid import SteadyState, TimeGrid


def test_times_are_kept_as_given():
    times = TimeGrid(np.array([0.0, 0.1, 2.5]))
    assert times.times == (0.0, 0.1, 2.5)
    assert times.sample_times.tolist() == [0.0, 0.1, 2.5]
    assert not times.averaged
    assert times.recording_starts == 0.0
    assert times.to_spec() == {"times": [0.0, 0.1, 2.5]}
    assert TimeGrid(iter([1, 2])) == TimeGrid([1.0, 2.0])


@given(st.integers(1, 1000), st.floats(1e-3, 1e3), st.floats(0.0, 1e3))
def test_regular_times(steps, step, start):
    stop = start + steps * step
    times = TimeGrid.regular(start, stop=stop, step=step).sample_times
    assert len(times) == steps + 1
    assert times[0] == start
    assert times[-1] == pytest.approx(stop, rel=1e-15)
    np.testing.assert_allclose(np.diff(times), step, rtol=1e-6)


@given(st.integers(1, 1000), st.floats(1e-3, 1e3), st.floats(0.0, 1e3))
def test_steady_state_samples_end_with_the_window(samples, sample_every, burn_in):
    window = SteadyState(burn_in, samples * sample_every, sample_every)
    times = window.sample_times
    assert window.averaged
    assert window.recording_starts == burn_in
    assert len(times) == samples
    assert times[-1] == pytest.approx(burn_in + window.duration, rel=1e-15)
    np.testing.assert_allclose(np.diff(times, prepend=burn_in), sample_every, rtol=1e-6)
    assert SteadyState(**window.to_spec()) == window


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([], "`times` must hold at least one time, but it is empty"),
        ([0.0, 0.0], "`times` must be increasing and not negative, but they are not"),
        ([1.0, 0.5], "`times` must be increasing and not negative, but they are not"),
        ([-1.0, 1.0], "`times` must be increasing and not negative, but they are not"),
        ([0.0, float("nan")], "`times` must be finite, but nan was given"),
        ([0.0, float("inf")], "`times` must be finite, but inf was given"),
        ([0.0, "1"], "`times` must be a number, but '1' was given"),
        ([True, 2.0], "`times` must be a number, but True was given"),
        ([[0.0, 1.0]], "`times` must be a number, but [0.0, 1.0] was given"),
        ([1j], "`times` must be a number, but 1j was given"),
        ("abc", "`times` must be a sequence of numbers, but 'abc' was given"),
        (5.0, "`times` must be a sequence of numbers, but 5.0 was given"),
        (None, "`times` must be a sequence of numbers, but None was given"),
    ],
)
def test_bad_times(times, message):
    with pytest.raises(InputError) as error:
        TimeGrid(times)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"stop": 1.0, "step": 0.0}, "`step` must be positive, but 0 was given"),
        ({"stop": 1.0, "step": -1.0}, "`step` must be positive, but -1 was given"),
        ({"stop": 0.0, "step": 1.0}, "`stop` must be greater than `start` = 0, but 0 was given"),
        ({"start": -1.0, "stop": 1.0, "step": 1.0}, "`start` must not be negative, but -1 was given"),
        (
            {"stop": 1.0, "step": 0.3},
            "`step` must divide `stop` - `start` = 1 into whole steps, but 0.3 was given",
        ),
        (
            {"stop": 1.0, "step": 2.0},
            "`step` must divide `stop` - `start` = 1 into whole steps, but 2 was given",
        ),
        (
            {"stop": 1.0, "step": 5e-324},
            "`step` must make at most 10000000 samples of `stop` - `start`, but 4.94066e-324 was given",
        ),
        ({"stop": "1", "step": 1.0}, "`stop` must be a number, but '1' was given"),
        ({"stop": float("inf"), "step": 1.0}, "`stop` must be finite, but inf was given"),
        ({"stop": 1.0, "step": True}, "`step` must be a number, but True was given"),
    ],
)
def test_bad_regular_times(spec, message):
    with pytest.raises(InputError) as error:
        TimeGrid.regular(**spec)
    assert str(error.value) == message


GOOD = {"burn_in": 5.0, "duration": 10.0, "sample_every": 0.5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"burn_in": -1.0}, "`burn_in` must not be negative, but -1 was given"),
        ({"duration": 0.0}, "`duration` must be positive, but 0 was given"),
        ({"sample_every": 0.0}, "`sample_every` must be positive, but 0 was given"),
        (
            {"sample_every": 0.3},
            "`sample_every` must divide `duration` = 10 into whole steps, but 0.3 was given",
        ),
        (
            {"sample_every": 20.0},
            "`sample_every` must divide `duration` = 10 into whole steps, but 20 was given",
        ),
        (
            {"sample_every": 1e-9},
            "`sample_every` must make at most 10000000 samples of `duration`, but 1e-09 was given",
        ),
        ({"burn_in": "long"}, "`burn_in` must be a number, but 'long' was given"),
        ({"duration": float("nan")}, "`duration` must be finite, but nan was given"),
    ],
)
def test_bad_steady_state(change, message):
    with pytest.raises(InputError) as error:
        SteadyState(**GOOD | change)
    assert str(error.value) == message
