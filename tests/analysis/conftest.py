"""Synthetic ensembles with known answers, built by the road a sampler takes: Layout, BlockData, to_dataset, stack."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.signal import lfilter

from trajsim.ensemble import stack, to_dataset
from trajsim.lattice import Lattice
from trajsim.layout import BlockData, Field, Layout

Samples = Mapping[str, tuple[tuple[str, ...], dict[str, list[Any]], str, np.ndarray]]


def build(
    samples: Samples,
    *,
    block: int = 10,
    lattice: Lattice | None = None,
    times: list[float] | None = None,
    steady: dict[str, float] | None = None,
    status: np.ndarray | None = None,
    raw: bool = False,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """One point. samples: name -> (dims, coords, units, values (trajectories, samples, *dims))."""
    steady = None if times is not None else steady or {"burn_in": 20.0, "duration": 1.0, "sample_every": 1.0}
    fields, rows, offset = [], [], 0
    for name, (dims, coords, units, values) in samples.items():
        auxiliary: dict[str, Any] = {}
        if "displacement" in dims:
            assert lattice is not None
            auxiliary = {
                "displacement_vector": (("displacement", "axis"), lattice.displacements.astype(float).tolist()),
                "distance": (("displacement",), lattice.lengths.tolist()),
                "pairs": (("displacement",), lattice.displacement_counts.tolist()),
            }
        field = Field(name, dims, coords, units, name.replace("_", " "), offset, auxiliary)
        fields.append(field)
        rows.append(values.reshape(*values.shape[:2], field.size))
        offset += field.size
    data = np.concatenate(rows, axis=2)
    levels = 0 if times is not None else int(np.log2(data.shape[1])) + 1
    layout = Layout(tuple(fields), None if times is None else tuple(times), steady, ("decay",), levels)
    status = np.zeros(len(data), np.int8) if status is None else status.astype(np.int8)
    blocks = [
        (index, block_data(data[first : first + block], status[first : first + block], levels, times is None, raw))
        for index, first in enumerate(range(0, len(data), block))
    ]
    about: dict[str, Any] = {"model": "synthetic", "seed": "1"}
    if lattice is not None:
        about |= {"n_sites": lattice.n_sites, "lattice": json.dumps(lattice.to_spec())}
    return to_dataset(layout, blocks, {**about, **(attrs or {})})


def block_data(data: np.ndarray, status: np.ndarray, levels: int, steady: bool, raw: bool) -> BlockData:
    good = data[status == 0]
    entries = good.mean(axis=1, keepdims=True) if steady else good
    mean = entries.mean(axis=0) if len(good) else np.full(entries.shape[1:], np.nan)
    batch_m2, batch_count = np.zeros((levels, data.shape[2])), np.zeros(levels, np.int64)
    for level in range(levels):
        n = 2**level
        whole = data.shape[1] // n
        means = good[:, : whole * n].reshape(len(good), whole, n, -1).mean(axis=2)
        batch_m2[level] = ((means - mean[0]) ** 2).sum(axis=(0, 1))
        batch_count[level] = len(good) * whole
    m2 = ((entries - mean) ** 2).sum(axis=0)
    kept = np.where((status == 0)[:, None, None], data.mean(axis=1, keepdims=True) if steady else data, np.nan)
    jumps = np.full((len(data), 1), 7, np.int64)
    return BlockData(mean, m2, status, jumps, batch_m2, batch_count, kept if raw else None)


def ring(
    trajectories: int,
    rng: np.random.Generator,
    *,
    length: int = 16,
    xi: float = 2.0,
    offset: float = 0.0,
    wave_vectors: tuple[float, ...] = (0.0,),
    samples: int = 1,
    block: int = 10,
    site: bool = False,
    **keywords: Any,
) -> xr.Dataset:
    """A Gaussian field on a ring with <s> = offset and connected correlation sum_images e^{-|d|/xi} cos(Q d) / 4.

    S(k) = sinh(1/xi) / (cosh(1/xi) - cos(k - Q)) / 4, averaged over +-Q and all wave vectors Q. Records xx, yy
    (independent copies) and xy.
    """
    lattice = Lattice.chain(length)
    k = 2 * np.pi * np.arange(length) / length
    both = (*wave_vectors, *(-q for q in wave_vectors))
    spectrum = np.mean([ring_structure_factor(k, xi, q) for q in both], axis=0)
    white = rng.normal(size=(2, trajectories, samples, length))
    field = np.fft.ifft(np.fft.fft(white, axis=-1) * np.sqrt(spectrum), axis=-1).real + offset
    products = {}
    for name, (a, b) in {"xx": (0, 0), "yy": (1, 1), "xy": (0, 1)}.items():
        moved = [np.roll(field[b], -int(d[0]), axis=-1) for d in lattice.displacements]
        products[name] = np.stack([(field[a] * m).mean(axis=-1) for m in moved], axis=-1)
    recorded: dict[str, Any] = {
        "magnetisation": (("component",), {"component": ["x", "y"]}, "1", np.moveaxis(field.mean(axis=-1), 0, -1)),
        "correlation": (
            ("pair", "displacement"),
            {"pair": list(products), "displacement": lattice.displacement_labels},
            "1",
            np.stack(list(products.values()), axis=2),
        ),
    }
    if site:
        dims = ("component", "site")
        coords = {"component": ["x", "y"], "site": list(range(length))}
        recorded["site_magnetisation"] = (dims, coords, "1", np.moveaxis(field, 0, 2))
        products_of_sites = np.einsum("atsi,btsj->tsabij", field, field)
        recorded["pair_correlation"] = (
            ("pair", "site", "other_site"),
            {"pair": ["xx", "xy"], "site": list(range(length)), "other_site": list(range(length))},
            "1",
            products_of_sites[:, :, 0],
        )
    return build(recorded, block=block, lattice=lattice, **keywords)


def ring_structure_factor(k: np.ndarray, xi: float, wave_vector: float = 0.0) -> np.ndarray:
    return np.sinh(1 / xi) / (np.cosh(1 / xi) - np.cos(k - wave_vector)) / 4


def ring_correlation(d: np.ndarray, length: int, xi: float, wave_vector: float = 0.0) -> np.ndarray:
    d = np.asarray(d)
    images = d[..., None] + length * np.arange(-60, 61)
    return (np.exp(-np.abs(images) / xi) * np.cos(wave_vector * d[..., None])).sum(axis=-1) / 4


def distribution(
    trajectories: int, rng: np.random.Generator, p: np.ndarray, *, concentration: float = 20.0, **keywords: Any
) -> xr.Dataset:
    """P(m) of N = len(p) - 1 spins 1/2 with mean p: each trajectory a Dirichlet draw; moments 1 ... 4 of it."""
    m = np.arange(len(p)) - (len(p) - 1) / 2
    draws = rng.dirichlet(np.maximum(concentration * p, 1e-9), size=(trajectories, 1))[:, :, None, :]
    moments = np.stack([draws @ m**n for n in (1, 2, 3, 4)], axis=-1)
    recorded: Samples = {
        "collective_distribution": (("component", "m"), {"component": ["x"], "m": m.tolist()}, "1", draws),
        "collective_moment": (("component", "order"), {"component": ["x"], "order": [1, 2, 3, 4]}, "1", moments),
    }
    return build(recorded, lattice=Lattice.complete(len(p) - 1), **keywords)


def series(
    trajectories: int, samples: int, phi: float, rng: np.random.Generator, *, sample_every: float = 0.5, **keywords: Any
) -> xr.Dataset:
    """Steady-state autoregressive magnetisation: tau = sample_every (1 + phi) / (1 - phi) / 2, mean 0.2, variance 1."""
    noise = rng.normal(size=(trajectories, samples, 1)) * np.sqrt(1 - phi**2)
    noise[:, 0] /= np.sqrt(1 - phi**2)
    x = 0.2 + lfilter([1.0], [1.0, -phi], noise, axis=1)
    steady = {"burn_in": 20.0, "duration": samples * sample_every, "sample_every": sample_every}
    recorded: Samples = {"magnetisation": (("component",), {"component": ["z"]}, "1", x)}
    return build(recorded, steady=steady, lattice=Lattice.chain(4), **keywords)


def sweep(points: Mapping[float, xr.Dataset], key: str = "model.Jx") -> xr.Dataset:
    return stack([({key: value}, dataset) for value, dataset in points.items()])


@pytest.fixture(scope="session")
def synthetic() -> SimpleNamespace:
    """The generators, and `one(dataset)`: an opened ensemble of one point."""
    one: Callable[[xr.Dataset], xr.Dataset] = lambda dataset: stack([({}, dataset)])  # noqa: E731
    return SimpleNamespace(
        build=build,
        ring=lambda *a, **k: one(ring(*a, **k)),
        distribution=lambda *a, **k: one(distribution(*a, **k)),
        series=lambda *a, **k: one(series(*a, **k)),
        one=one,
        sweep=sweep,
        point_ring=ring,
        point_distribution=distribution,
        ring_structure_factor=ring_structure_factor,
        ring_correlation=ring_correlation,
    )
