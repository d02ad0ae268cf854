"""The strong error of the time step, and the map of two magnetisations: from recorded numbers with known answers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.collections import QuadMesh

from trajsim import analysis
from trajsim.errors import InputError
from trajsim.statistics import jackknife


def differences(rng: np.random.Generator, times: int) -> np.ndarray:
    """(trajectories, times, difference): |s - s'|^2 of mean t^2 / 100, and mean differences."""
    squares = rng.exponential(0.01, (200, times)) * np.arange(times) ** 2
    return np.concatenate([squares[..., None], rng.normal(0, 0.01, (200, times, 3))], axis=-1)


def test_strong_error_is_the_root_of_the_mean_square(synthetic: SimpleNamespace) -> None:
    values = differences(np.random.default_rng(4), 4)
    coords = {"difference": ["square", "x", "y", "z"]}
    dataset = synthetic.build({"time_step_error": (("difference",), coords, "1", values)}, times=[0.0, 1.0, 2.0, 3.0])
    result = analysis.strong_error(dataset)
    assert result["value"].dims == ("point", "time")
    assert result["value"].attrs["units"] == "S"
    np.testing.assert_allclose(result["value"][0], np.sqrt(values[..., 0].mean(axis=0)), atol=1e-14)
    blocks = values[:, 3, 0].reshape(20, 10).mean(axis=1)
    _, error = jackknife(np.sqrt, blocks, weights=np.full(20, 10.0), correct_bias=False)
    np.testing.assert_allclose(result["standard_error"][0, 3], error)
    assert "strong_error" in analysis.reduce_all(dataset)
    assert analysis.plot(result).axes[0].get_ylabel() == "strong error of the time step [S]"


def test_it_must_have_been_recorded(synthetic: SimpleNamespace) -> None:
    dataset = synthetic.ring(80, np.random.default_rng(1), length=6, block=4)
    with pytest.raises(InputError, match="`time_step_error` must be recorded for the strong error of the time step"):
        analysis.strong_error(dataset)


@pytest.mark.parametrize("times", [None, [0.0, 0.5]])
def test_two_magnetisations_are_a_map(synthetic: SimpleNamespace, times: list[float] | None) -> None:
    """P(m_a, m_b) at the last time, m_a to the right."""
    rng = np.random.default_rng(6)
    outcome = rng.choice(6, p=[0.05, 0.1, 0.15, 0.2, 0.2, 0.3], size=(80, 2))
    values = (outcome[..., None] == np.arange(6)).astype(float).reshape(80, 2, 2, 3)
    coords = {"m_a": [-0.5, 0.5], "m_b": [-1.0, 0.0, 1.0]}
    dataset = synthetic.build({"sublattice_distribution": (("m_a", "m_b"), coords, "1", values)}, times=times, block=4)
    figure = analysis.plot(analysis.ensemble_mean(dataset, "sublattice_distribution"))
    axes = figure.axes[0]
    (mesh,) = (c for c in axes.collections if isinstance(c, QuadMesh))
    expected = values.mean(axis=(0, 1)) if times is None else values[:, -1].mean(axis=0)
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(3, 2), expected.T)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("m_a [hbar]", "m_b [hbar]")
    assert axes.get_title() == ("" if times is None else "time = 0.5")
