"""TEMPORARY stub until branch `model` has it."""
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from trajsim.errors import UnsupportedError
S = np.array([[[0, .5],[.5,0]],[[0,.5j],[-.5j,0]],[[-.5,0],[0,.5]]])  # basis down, up


@dataclass
class LocalFamily:
    vector: np.ndarray
    constant: complex
    rate: float
    label: str


@dataclass
class CollectiveJump:
    vector: np.ndarray
    rate: float
    label: str


@dataclass
class CollectiveForm:
    n_sites: int
    constant: float
    linear: np.ndarray
    quadratic: np.ndarray
    local: tuple
    collective: tuple


def collective_form(model):
    N = model.n_sites
    if not model.permutation_invariant:
        raise UnsupportedError(f"the model must be permutation invariant, but {model.permutation_invariant.reason}")
    const, lin, quad = 0.0, np.zeros(3), np.zeros((3, 3))
    for t in model.lowered.hamiltonian:
        if len(t.sites) == 1:
            c = np.trace(t.matrix).real / 2
            v = np.array([2 * np.trace(t.matrix @ S[a]).real for a in range(3)])
            const += c
            lin += v / N
        else:
            M = t.matrix.reshape(2, 2, 2, 2)  # [hi, lo]
            for a in range(4):
                for b in range(4):
                    A = np.eye(2) / 2 if a == 3 else 2 * S[a]
                    B = np.eye(2) / 2 if b == 3 else 2 * S[b]
                    x = np.einsum("hlmn,mh,nl->", M, A, B).real
                    if a == 3 and b == 3: const += x
                    elif a == 3: lin[b] += x / N
                    elif b == 3: lin[a] += x / N
                    else: quad[a, b] += x / (N * (N - 1))
    quad = (quad + quad.T) / 2
    const -= N / 4 * np.trace(quad)
    loc, col = {}, []
    for j in model.lowered.jumps:
        if len(j.terms) == 1:
            m = j.terms[0].matrix
            key = (j.label, m.tobytes())
            loc[key] = LocalFamily(np.array([2 * np.trace(m @ S[a]) for a in range(3)]), np.trace(m) / 2, 1.0, j.label)
        else:
            m = j.terms[0].matrix
            col.append(CollectiveJump(np.array([2 * np.trace(m @ S[a]) for a in range(3)]), 1.0, j.label))
    return CollectiveForm(N, const, lin, quad, tuple(loc.values()), tuple(col))
