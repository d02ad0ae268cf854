"""Every reducer that applies to an ensemble, in one call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import xarray as xr

from trajsim.errors import InputError

from . import opened, steady
from .autocorrelations import autocorrelation_time
from .correlation_lengths import correlation_length
from .correlations import connected_correlation
from .distributions import bimodality_coefficient, bimodality_index, binder_cumulant
from .jump_records import has_records
from .jump_statistics import REDUCERS as _OF_JUMPS
from .jump_statistics import has_counts, waiting_time_distribution
from .means import ensemble_mean
from .order_parameters import order_parameter
from .relaxation import relaxation_rate
from .squeezing import has_second_moments, kitagawa_ueda_squeezing, wineland_squeezing
from .structure_factors import structure_factor

# result -> the observables one of which it needs, and how it is made
_DERIVED: dict[str, tuple[tuple[str, ...], Callable[[xr.Dataset], xr.Dataset]]] = {
    "connected_correlation": (("correlation",), connected_correlation),
    "connected_pair_correlation": (("pair_correlation",), lambda d: connected_correlation(d, "pair_correlation")),
    "structure_factor": (("correlation",), structure_factor),
    "order_parameter": (("correlation",), order_parameter),
    "correlation_length": (("correlation",), correlation_length),
    "bimodality_coefficient": (("collective_moment", "collective_distribution"), bimodality_coefficient),
    "binder_cumulant": (("collective_moment", "collective_distribution"), binder_cumulant),
    "bimodality_index": (("collective_distribution",), bimodality_index),
}
_SQUEEZING = {"kitagawa_ueda_squeezing": kitagawa_ueda_squeezing, "wineland_squeezing": wineland_squeezing}


def attempt_all(dataset: xr.Dataset, window: tuple[float, float] | None = None) -> dict[str, xr.Dataset | InputError]:
    """Every result whose observables were recorded, by name: the result, or the reason why it is refused.

    Means come under the name of the observable, derived results under that of the reducer; in the steady state there is
    `autocorrelation_time_NAME` for every observable, on a time grid `relaxation_rate_NAME` for every one that is a
    number or a vector. window: of time, for the relaxation rates; None fits the whole grid.
    Raises: InputError if `dataset` is no ensemble.
    """
    dataset = opened.check(dataset)
    names = opened.recorded(dataset)
    results: dict[str, xr.Dataset | InputError] = {name: ensemble_mean(dataset, name) for name in names}
    reducers: dict[str, Callable[..., xr.Dataset]]
    reducers = {key: reducer for key, (needs, reducer) in _DERIVED.items() if any(name in names for name in needs)}
    if has_second_moments(dataset):
        reducers |= _SQUEEZING
    if has_counts(dataset):
        reducers |= _OF_JUMPS
        if has_records(dataset):
            reducers["waiting_time_distribution"] = waiting_time_distribution
        if dataset.sizes["channel"] > 1:
            of_jumps = (*_OF_JUMPS, "waiting_time_distribution")
            reducers |= {f"{key}_total": partial(r, total=True) for key, r in reducers.items() if key in of_jumps}
    for name in names:
        own = set(dataset[name].dims) - {"point", "block"}
        if "time" in own and own <= {"time", "component"}:
            reducers[f"relaxation_rate_{name}"] = partial(relaxation_rate, name=name, window=window)
    for key, reducer in reducers.items():
        try:
            results[key] = reducer(dataset)
        except InputError as refusal:
            results[key] = refusal
    for name in names:
        if steady.has_autocorrelation(dataset, name):
            results[f"autocorrelation_time_{name}"] = autocorrelation_time(dataset, name)
    return results


def reduce_all(dataset: xr.Dataset) -> dict[str, xr.Dataset]:
    """Every result that applies to the ensemble, by name: `attempt_all` without the refusals."""
    return {key: result for key, result in attempt_all(dataset).items() if isinstance(result, xr.Dataset)}
