"""Terms and jumps, the two kinds of piece a model is made of, and constructors for the usual ones."""

from __future__ import annotations

from trajsim.terms.terms import (
    Jump,
    Term,
    collective_jump,
    correlated_decay,
    exchange,
    field,
    local_jump,
    pair_jump,
    power_law,
    single_site,
)

__all__ = [
    "Jump",
    "Term",
    "collective_jump",
    "correlated_decay",
    "exchange",
    "field",
    "local_jump",
    "pair_jump",
    "power_law",
    "single_site",
]
