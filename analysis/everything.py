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
from .fluctuations import spin_variance
from .jump_records import has_records
from .jump_statistics import REDUCERS as _OF_JUMPS
from .jump_statistics import has_counts, waiting_time_distribution
from .means import ensemble_mean
from .order_parameters import order_parameter
from .relaxation import relaxation_rate
from .restoration import has_transverse, symmetry_restoration, transverse_polarisation
from .squeezing import has_second_moments, kitagawa_ueda_squeezing, wineland_squeezing
from .structure_factors import structure_factor
from .time_steps import strong_error

# result -> the observables one of which it needs, and how it is made
_DERIVED: dict[str, tuple[tuple[str, ...], Callable[[xr.Dataset], xr.Dataset]]] = {
    "connected_correlation": (("correlation",), connected_correlation),
    "connected_pair_correlation": (("pair_correlation",), lambda d: connected_correlation(d, "pair_correlation")),
    "structure_factor": (("correlation",), structure_factor),
    "order_parameter": (("correlation",), order_parameter),
    "correlation_length": (("correlation",), correlation_length),
    "spin_variance": (("sublattice_moment",), spin_variance),
    "bimodality_coefficient": (("collective_moment", "collective_distribution"), bimodality_coefficient),
    "binder_cumulant": (("collective_moment", "collective_distribution"), binder_cumulant),
    "bimodality_index": (("collective_distribution",), bimodality_index),
    "strong_error": (("time_step_error",), strong_error),
}
_SQUEEZING = {"kitagawa_ueda_squeezing": kitagawa_ueda_squeezing, "wineland_squeezing": wineland_squeezing}


def available(dataset: xr.Dataset, window: tuple[float, float] | None = None) -> dict[str, Callable[[], xr.Dataset]]:
    """Every result whose observables were recorded, by name, as a function that computes it or raises InputError.

    Means come under the name of the observable, derived results under that of the reducer; on a time grid there is
    `relaxation_rate_NAME` for every observable that is a number or a vector, in the steady state
    `autocorrelation_time_NAME` for every one. window: of time, for the relaxation rates; None fits the whole grid.
    Raises: InputError if `dataset` is no ensemble.
    """
    dataset = opened.check(dataset)
    names = opened.recorded(dataset)
    found: dict[str, Callable[..., xr.Dataset]] = {name: partial(ensemble_mean, name=name) for name in names}
    found |= {key: reducer for key, (needs, reducer) in _DERIVED.items() if any(name in names for name in needs)}
    if has_second_moments(dataset):
        found |= _SQUEEZING
    if has_transverse(dataset):
        found["transverse_polarisation"] = transverse_polarisation
        if "time" in dataset.dims:
            found["symmetry_restoration"] = symmetry_restoration
    if has_counts(dataset):
        of_jumps = dict(_OF_JUMPS)
        if has_records(dataset):
            of_jumps["waiting_time_distribution"] = waiting_time_distribution
        found |= of_jumps
        if dataset.sizes["channel"] > 1:
            found |= {f"{key}_total": partial(reducer, total=True) for key, reducer in of_jumps.items()}
    for name in names:
        own = set(dataset[name].dims) - {"point", "block"}
        if "time" in own and own <= {"time", "component"}:
            found[f"relaxation_rate_{name}"] = partial(relaxation_rate, name=name, window=window)
        if steady.has_autocorrelation(dataset, name):
            found[f"autocorrelation_time_{name}"] = partial(autocorrelation_time, name=name)
    return {key: partial(reducer, dataset) for key, reducer in found.items()}


def attempt_all(dataset: xr.Dataset) -> dict[str, xr.Dataset | InputError]:
    """Every result that is `available`, by name: the result, or the reason why it is refused.

    Raises: InputError if `dataset` is no ensemble.
    """
    results: dict[str, xr.Dataset | InputError] = {}
    for key, compute in available(dataset).items():
        try:
            results[key] = compute()
        except InputError as refusal:
            results[key] = refusal
    return results


def reduce_all(dataset: xr.Dataset) -> dict[str, xr.Dataset]:
    """Every result that applies to the ensemble, by name: `attempt_all` without the refusals."""
    return {key: result for key, result in attempt_all(dataset).items() if isinstance(result, xr.Dataset)}
