"""How fast fluctuations about configurations of ups and downs grow: the fingerprint of a phase (Huber 2020, Fig. 8)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from trajsim.errors import UnsupportedError
from trajsim.references.gaussian.linearisation import linearise

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["all_configurations", "growth_rates"]

LARGEST = 16
"""Sites of which all configurations are listed: 65536 eigenproblems."""


def all_configurations(n_sites: int) -> list[tuple[int, ...]]:
    """All 2^N configurations of N sites, +1 up and -1 down, site 0 fastest. Raises UnsupportedError above 16."""
    if n_sites > LARGEST:
        raise UnsupportedError(
            f"`model` must have at most {LARGEST} sites for all configurations, but it has {n_sites}: give some"
        )
    return [signs[::-1] for signs in itertools.product((-1, 1), repeat=n_sites)]


def growth_rates(model: SpinModel, configurations: Iterable[str | Sequence[int]] | None = None) -> xr.Dataset:
    r"""Eigenvalues \mu of the linear dynamics d<r>/dt = A <r> of small deviations from configurations.

    configurations: as in `HolsteinPrimakoff`; None takes all of them. Returns `growth_rate` and `frequency`
    (configuration, mode), Re \mu and Im \mu in descending order of Re \mu and, of equal ones, of Im \mu, in inverse
    time; mode 0 is the least stable one, which the paper's Fig. 8 shows. A configuration with growth_rate < 0
    throughout is a stable phase for S -> infinity. The eigenvalues come in conjugate pairs: 2N of them for N sites.
    Raises InputError, UnsupportedError as `linearise`, and for all configurations of more than 16 sites.
    """
    listed = list(all_configurations(model.n_sites) if configurations is None else configurations)
    rows, words = [], []
    for configuration in listed:
        linear = linearise(model, configuration)
        values = np.linalg.eigvals(linear.mean_drift)
        # equal real parts must not be ordered by their rounding
        rows.append(values[np.lexsort((-values.imag, -np.round(values.real, 9)))])
        words.append("".join("u" if sign > 0 else "d" for sign in linear.signs))
    table = np.stack(rows)
    dims = ("configuration", "mode")
    return xr.Dataset(
        {
            "growth_rate": (dims, table.real, {"units": "rate", "long_name": "growth rate of fluctuations Re mu"}),
            "frequency": (dims, table.imag, {"units": "rate", "long_name": "frequency of fluctuations Im mu"}),
        },
        coords={"configuration": words, "mode": np.arange(table.shape[1])},
        attrs={"model": str(model), "model_hash": model.hash, "units": "inverse time"},
    )
