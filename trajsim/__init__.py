"""trajsim: trajectory ensembles of open quantum spin systems.

Importing the package is cheap; every name below is loaded on first use (numpy and numba alone cost most of a
second, and ``trajsim --help`` must not pay for them).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "DickeJump": "samplers.dicke_jump",
    "FactorisedMeanField": "references.mean_field",
    "HolsteinPrimakoff": "references.gaussian",
    "Lattice": "lattice",
    "Lindblad": "references.lindblad",
    "Permutation": "references.permutation",
    "SpinModel": "model",
    "QuantumJump": "samplers.quantum_jump",
    "TruncatedWigner": "samplers.truncated_wigner",
    "TrajsimError": "errors",
    "open": "campaign.store",
    "sample": "ensemble",
    "solve": "references.solve",
    "two_time_correlation": "two_time",
}

__all__ = [  # noqa: RUF022 - classes and functions first, then modules
    "DickeJump",
    "FactorisedMeanField",
    "HolsteinPrimakoff",
    "Lattice",
    "Lindblad",
    "Permutation",
    "QuantumJump",
    "SpinModel",
    "TrajsimError",
    "TruncatedWigner",
    "open",
    "sample",
    "solve",
    "two_time_correlation",
    "analysis",
    "catalog",
    "convergence",
    "errors",
    "grid",
    "initial",
    "lattice",
    "model",
    "observables",
    "operators",
    "records",
    "references",
    "terms",
]

if TYPE_CHECKING:
    from trajsim.campaign.store import open
    from trajsim.ensemble import sample
    from trajsim.errors import TrajsimError
    from trajsim.lattice import Lattice
    from trajsim.model import SpinModel
    from trajsim.references.gaussian import HolsteinPrimakoff
    from trajsim.references.lindblad import Lindblad
    from trajsim.references.mean_field import FactorisedMeanField
    from trajsim.references.permutation import Permutation
    from trajsim.references.solve import solve
    from trajsim.samplers.dicke_jump import DickeJump
    from trajsim.samplers.quantum_jump import QuantumJump
    from trajsim.samplers.truncated_wigner import TruncatedWigner
    from trajsim.two_time import two_time_correlation


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"trajsim.{_HOME[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"trajsim.{name}")
    raise AttributeError(f"module 'trajsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
