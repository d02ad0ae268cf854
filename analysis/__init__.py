"""Reducers: an opened ensemble in, labelled results with error bars out, and a figure for each.

    ensemble = trajsim.open("campaign.zarr")
    result = trajsim.analysis.structure_factor(ensemble)
    trajsim.analysis.plot(result).savefig("structure_factor.png")

Every result is an `xarray.Dataset` with `value`, `standard_error`, `lower`, `upper` (95 %), `count` and `failed`
trajectories, units, and a statement on the steady state. Names are loaded on first use; nothing imports matplotlib
before a figure is drawn.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "attempt_all": "everything",
    "autocorrelation_time": "autocorrelations",
    "available": "everything",
    "bimodality_coefficient": "distributions",
    "bimodality_index": "distributions",
    "binder_cumulant": "distributions",
    "collective_distribution": "distributions",
    "connected_correlation": "correlations",
    "correlation": "correlations",
    "correlation_length": "correlation_lengths",
    "counting_distribution": "jump_statistics",
    "critical_exponent": "power_laws",
    "ensemble_mean": "means",
    "failures": "results",
    "fano_factor": "jump_statistics",
    "jump_rate": "jump_statistics",
    "jump_record": "jump_records",
    "kitagawa_ueda_squeezing": "squeezing",
    "order_parameter": "order_parameters",
    "parameter_map": "phase_maps",
    "plot": "plots",
    "reduce_all": "everything",
    "relaxation_rate": "relaxation",
    "rows": "tables",
    "spin_variance": "fluctuations",
    "strong_error": "time_steps",
    "structure_factor": "structure_factors",
    "symmetry_restoration": "restoration",
    "table": "tables",
    "to_csv": "tables",
    "to_json": "tables",
    "to_netcdf": "tables",
    "to_pauli": "results",
    "transverse_polarisation": "restoration",
    "waiting_time_distribution": "jump_statistics",
    "wineland_squeezing": "squeezing",
}

__all__ = [
    "attempt_all",
    "autocorrelation_time",
    "available",
    "bimodality_coefficient",
    "bimodality_index",
    "binder_cumulant",
    "collective_distribution",
    "connected_correlation",
    "correlation",
    "correlation_length",
    "counting_distribution",
    "critical_exponent",
    "ensemble_mean",
    "failures",
    "fano_factor",
    "jump_rate",
    "jump_record",
    "kitagawa_ueda_squeezing",
    "order_parameter",
    "parameter_map",
    "plot",
    "reduce_all",
    "relaxation_rate",
    "rows",
    "spin_variance",
    "strong_error",
    "structure_factor",
    "symmetry_restoration",
    "table",
    "to_csv",
    "to_json",
    "to_netcdf",
    "to_pauli",
    "transverse_polarisation",
    "waiting_time_distribution",
    "wineland_squeezing",
]

if TYPE_CHECKING:
    from .autocorrelations import autocorrelation_time
    from .correlation_lengths import correlation_length
    from .correlations import connected_correlation, correlation
    from .distributions import bimodality_coefficient, bimodality_index, binder_cumulant, collective_distribution
    from .everything import attempt_all, available, reduce_all
    from .fluctuations import spin_variance
    from .jump_records import jump_record
    from .jump_statistics import counting_distribution, fano_factor, jump_rate, waiting_time_distribution
    from .means import ensemble_mean
    from .order_parameters import order_parameter
    from .phase_maps import parameter_map
    from .plots import plot
    from .power_laws import critical_exponent
    from .relaxation import relaxation_rate
    from .restoration import symmetry_restoration, transverse_polarisation
    from .results import failures, to_pauli
    from .squeezing import kitagawa_ueda_squeezing, wineland_squeezing
    from .structure_factors import structure_factor
    from .tables import rows, table, to_csv, to_json, to_netcdf
    from .time_steps import strong_error


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
