"""The opened ensemble: blocks of trajectories as one labelled `xarray.Dataset`, in memory or from a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from trajsim.errors import InputError
from trajsim.layout import BlockData, Layout

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable
    from trajsim.samplers.protocol import Sampler

__all__ = ["sample", "stack", "to_dataset"]

UNITS_NOTE = "hbar = 1; rates, couplings and inverse times in one unit; spin operators S^a (= sigma^a / 2 for S = 1/2)"


def to_dataset(layout: Layout, blocks: Sequence[tuple[int, BlockData]], attrs: Mapping[str, Any]) -> xr.Dataset:
    """Blocks of one parameter point as a Dataset.

    For every observable NAME with dimensions D: NAME (block, [time], D) is the mean over the trajectories of a
    block, NAME_m2 the sum of squared deviations from it; in the steady state NAME_batch_m2 (block, level, D) holds
    the squared deviations of batch means over 2^level samples. count (block), jumps (block, channel) and status
    (block, code) count trajectories, recorded jumps and outcomes.
    """
    lead: tuple[str, ...] = ("block",) if layout.times is None else ("block", "time")
    empty = BlockData.from_arrays(layout, {"status": np.empty(0, dtype=np.int8)})

    def gather(name: str) -> np.ndarray[Any, Any]:
        parts = [getattr(data, name) for _, data in blocks]
        return np.stack(parts) if parts else np.empty((0, *getattr(empty, name).shape))

    mean, m2, batch_m2 = gather("mean"), gather("m2"), gather("batch_m2")
    if layout.times is None:
        mean, m2 = mean[:, 0], m2[:, 0]
    codes = sorted({0, *(int(c) for _, data in blocks for c in np.unique(data.status))})
    pieces = [
        xr.Dataset(
            {
                "count": ("block", np.array([data.count for _, data in blocks], dtype=np.int64)),
                "jumps": (
                    ("block", "channel"),
                    np.array([data.jumps.sum(axis=0) for _, data in blocks], dtype=np.int64).reshape(
                        len(blocks), len(layout.channels)
                    ),
                ),
                "status": (
                    ("block", "code"),
                    np.array(
                        [[np.count_nonzero(data.status == c) for c in codes] for _, data in blocks],
                        dtype=np.int64,
                    ).reshape(len(blocks), len(codes)),
                ),
            },
            coords={
                "block": np.array([index for index, _ in blocks], dtype=np.int64),
                "channel": list(layout.channels),
                "code": codes,
            },
        )
    ]
    if layout.levels:
        pieces[0]["batch_count"] = (("block", "level"), gather("batch_count").astype(np.int64))
    if layout.times is not None:
        pieces[0] = pieces[0].assign_coords(
            time=("time", np.array(layout.times), {"units": "inverse rate", "long_name": "time"})
        )
    for f in layout.fields:
        about = {"units": f.units, "long_name": f.description}
        variables = {
            f.name: ((*lead, *f.dims), f.take(mean), about),
            f"{f.name}_m2": ((*lead, *f.dims), f.take(m2), {"units": f"({f.units})^2"}),
        }
        if layout.levels:
            variables[f"{f.name}_batch_m2"] = (("block", "level", *f.dims), f.take(batch_m2), {})
        if blocks and all(data.raw is not None for _, data in blocks):
            raw = f.take(gather("raw"))
            dims: tuple[str, ...] = ("block", "trajectory", *lead[1:], *f.dims)
            variables[f"{f.name}_raw"] = (dims, raw[:, :, 0] if layout.times is None else raw, about)
        coords = {**f.coords, **{name: (dims, values) for name, (dims, values) in f.auxiliary.items()}}
        pieces.append(xr.Dataset(variables, coords=coords))
    merged = xr.merge(pieces, join="outer", compat="no_conflicts", combine_attrs="drop_conflicts")
    steady = {} if layout.steady is None else layout.steady
    return merged.assign_attrs({**attrs, **steady, "units": UNITS_NOTE})


def stack(points: Sequence[tuple[Mapping[str, Any], xr.Dataset]]) -> xr.Dataset:
    """Datasets of several parameter points along the leading dimension `point`, swept parameters as coordinates.

    Points with fewer blocks, other times or other labels are filled with NaN, their counts with 0. Attributes that
    differ between points (the model's text, its lattice, the burn-in ...) become coordinates on `point`.
    """
    if not points:
        raise InputError("`points` must hold at least one parameter point, but it is empty")
    counters = ("count", "jumps", "status", "batch_count")
    fill = dict.fromkeys(counters, 0)
    datasets = [data for _, data in points]
    labels = xr.DataArray(np.arange(len(points)), dims="point", name="point")
    if len(datasets) == 1:
        joined = datasets[0].expand_dims(point=labels.values)
    else:
        joined = xr.concat(
            datasets, dim=labels, join="outer", data_vars="all", coords="different", compat="equals",
            combine_attrs="drop_conflicts", fill_value={**{str(v): np.nan for v in datasets[0]}, **fill},
        )  # fmt: skip
    about = [data.attrs for data in datasets]
    keys = dict.fromkeys(key for attrs in about for key in attrs)
    differing = [key for key in keys if any(attrs.get(key) != about[0].get(key) for attrs in about)]
    joined.attrs = {key: value for key, value in about[0].items() if key not in differing}
    told = {key: ("point", _coordinate([attrs.get(key) for attrs in about])) for key in differing}
    names = dict.fromkeys(key for coordinates, _ in points for key in coordinates)
    swept = {key: ("point", _coordinate([coordinates.get(key) for coordinates, _ in points])) for key in names}
    return joined.assign_coords({**told, **swept})


def _coordinate(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """One value a point: numbers and words stay, tables become their text, None is NaN among numbers or empty."""
    plain = [v if v is None or isinstance(v, int | float | str | bool) else repr(v) for v in values]
    missing = "" if any(isinstance(v, str) for v in plain) else np.nan
    return np.array([missing if v is None else v for v in plain])


def sample(
    model: SpinModel,
    sampler: Sampler,
    initial: InitialState,
    grid: Grid,
    observables: Sequence[Observable],
    *,
    trajectories: int,
    seed: int | None = None,
    block: int = 32,
    raw: bool = False,
) -> xr.Dataset:
    """Draw an ensemble in memory: the road of a campaign without a store.

    trajectories: how many; `block` at a time, rounded up to whole blocks (bit-identical to a campaign's blocks).
    seed: root of all random streams; None draws one and reports it in attrs["seed"].
    raw: keep every trajectory's samples as NAME_raw.
    Returns the opened ensemble (see `to_dataset`) with one point.
    Raises: InputError for bad input, UnsupportedError where the sampler does not apply to the model.
    """
    from trajsim import __version__, streams

    for key, value in (("trajectories", trajectories), ("block", block)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"`{key}` must be a positive integer, but {value!r} was given")
    root = streams.draw_seed() if seed is None else streams.check_seed(seed)
    compiled = sampler.compile(model, initial, grid, observables)
    blocks: list[tuple[int, BlockData]] = []
    for index in range(-(-trajectories // block)):
        data = compiled.run_block(root, index * block, block, keep_raw=raw)
        assert data is not None  # nothing interrupts an in-memory run but KeyboardInterrupt
        blocks.append((index, data))
    attrs = {
        **point_attributes(model),
        "seed": str(root),
        "stream_version": streams.STREAM_VERSION,
        "trajsim_version": __version__,
    }
    return stack([({}, to_dataset(compiled.layout, blocks, attrs))])


def point_attributes(model: SpinModel) -> dict[str, Any]:
    """What a reader should know of a point's model: text, hash, number of sites, spin if all are equal, lattice.

    decay_modes: JSON, the eigenmodes of each correlated decay as `DecayModes.to_spec`; absent without one.
    """
    import json

    lattice = "null" if model.lattice is None else json.dumps(model.lattice.to_spec())
    spins = set(model.spins)
    spin = spins.pop() if len(spins) == 1 else None
    about = {"model": str(model), "model_hash": model.hash, "n_sites": model.n_sites, "lattice": lattice}
    if model.decay_modes:
        about["decay_modes"] = json.dumps({name: modes.to_spec() for name, modes in model.decay_modes.items()})
    return about if spin is None else {**about, "spin": spin}
