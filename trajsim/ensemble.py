"""The opened ensemble: blocks of trajectories as one labelled `xarray.Dataset`, in memory or from a store."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from trajsim.checks import instance
from trajsim.errors import InputError, TrajsimWarning
from trajsim.layout import BlockData, Layout

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable
    from trajsim.samplers.protocol import Sampler

__all__ = ["sample", "stack", "to_dataset"]

UNITS_NOTE = "hbar = 1; rates, couplings and inverse times in one unit; spin operators S^a (= sigma^a / 2 for S = 1/2)"


# what stands where a point has no such block, trajectory, jump or channel; NaN elsewhere
_FILL: dict[str, Any] = {
    **dict.fromkeys(("count", "jumps", "status", "batch_count", "pair_count", "trajectory_jumps", "jump_offset"), 0),
    **dict.fromkeys(("trajectory_status", "jump_channel"), -1),
    **dict.fromkeys(("jump_label", "jump_family"), ""),
}


def to_dataset(layout: Layout, blocks: Sequence[tuple[int, BlockData]], attrs: Mapping[str, Any]) -> xr.Dataset:
    """Blocks of one parameter point as a Dataset.

    For every observable NAME with dimensions D: NAME (block, [time], D) is the mean over the trajectories of a
    block, NAME_m2 the sum of squared deviations from it; in the steady state NAME_batch_m2 (block, level, D) holds
    the squared deviations of batch means over 2^level samples. count (block), jumps (block, channel) and status
    (block, code) count trajectories, recorded jumps and outcomes; trajectory_jumps (block, trajectory, channel) and
    trajectory_status (block, trajectory) are those of single trajectories.

    Where they were asked for: pair_count (block), over which observables of pairs of trajectories are means;
    jump_time, jump_channel (block, jump) and jump_offset (block, edge) with the jumps of all trajectories of a block
    one after the other, those of trajectory i from jump_offset[i] up to jump_offset[i + 1] (`analysis.jump_record`),
    jump_channel a jump_number, whose jump_label and jump_family stand beside it; final_state (block, trajectory,
    basis).
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
    jumps, status = _by_trajectory(layout, [data for _, data in blocks])
    outcomes = [np.count_nonzero(status == code, axis=1) for code in codes]
    pieces = [
        xr.Dataset(
            {
                "count": ("block", np.array([data.count for _, data in blocks], dtype=np.int64)),
                "jumps": (("block", "channel"), jumps.sum(axis=1)),
                "status": (("block", "code"), np.stack(outcomes, axis=1).astype(np.int64)),
                "trajectory_jumps": (("block", "trajectory", "channel"), jumps),
                "trajectory_status": (("block", "trajectory"), status),
            },
            coords={
                "block": np.array([index for index, _ in blocks], dtype=np.int64),
                "channel": list(layout.channels),
                "code": codes,
            },
        ),
        *_records(layout, blocks),
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


def _by_trajectory(layout: Layout, data: Sequence[BlockData]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Jumps (block, trajectory, channel) and status (block, trajectory); 0 and -1 where a block has fewer."""
    size = max((len(block.status) for block in data), default=0)
    jumps = np.zeros((len(data), size, len(layout.channels)), dtype=np.int64)
    status = np.full((len(data), size), _FILL["trajectory_status"], dtype=np.int64)
    for row, block in enumerate(data):
        jumps[row, : len(block.status)], status[row, : len(block.status)] = block.jumps, block.status
    return jumps, status


def _records(layout: Layout, blocks: Sequence[tuple[int, BlockData]]) -> list[xr.Dataset]:
    """What was kept of single trajectories and of pairs; nothing of what was not read."""
    data = [block for _, block in blocks]
    pieces = []
    if layout.pair_fields and all(block.pair_mean is not None for block in data):
        lead: tuple[str, ...] = ("block",) if layout.times is None else ("block", "time")
        empty = np.empty((0, layout.rows, layout.pair_width))
        moments = {
            end: np.stack([getattr(block, f"pair_{name}") for block in data]) if data else empty
            for end, name in (("", "mean"), ("_m2", "m2"))
        }
        found: dict[str, Any] = {"pair_count": ("block", np.array([b.pair_count for b in data], dtype=np.int64))}
        for f in layout.pair_fields:
            for end, rows in moments.items():
                about = {"units": f.units, "long_name": f.description, "samples": "pairs"}
                values = f.take(rows if layout.times is not None else rows[:, 0])
                found[f"{f.name}{end}"] = ((*lead, *f.dims), values, about)
        pieces.append(xr.Dataset(found))
    if layout.jump_channels is not None and all(block.jump_offset is not None for block in data):
        pieces.append(_jump_records(layout.jump_channels, data))
    if layout.final_state is not None and all(block.final_state is not None for block in data):
        dimension, dtype = layout.final_state
        states = np.stack([b.final_state for b in data if b.final_state is not None]) if data else None
        dims = ("block", "trajectory", "basis")
        about = {"long_name": "state at the last sample time; site 0 is the lowest digit of the basis index"}
        pieces.append(
            xr.Dataset({"final_state": (dims, np.empty((0, 0, dimension), dtype) if states is None else states, about)})
        )
    return pieces


def _jump_records(channels: Sequence[tuple[str, str]], data: Sequence[BlockData]) -> xr.Dataset:
    """Jumps of all blocks, padded to the longest with NaN and channel -1."""
    lengths = [0 if b.jump_time is None else len(b.jump_time) for b in data]
    time = np.full((len(data), max(lengths, default=0)), np.nan)
    channel = np.full(time.shape, -1, dtype=np.int32)
    for row, (block, length) in enumerate(zip(data, lengths, strict=True)):
        if block.jump_time is not None and block.jump_channel is not None:
            time[row, :length], channel[row, :length] = block.jump_time, block.jump_channel
    offsets = [b.jump_offset for b in data if b.jump_offset is not None]
    return xr.Dataset(
        {
            "jump_time": (("block", "jump"), time, {"units": "inverse rate", "long_name": "time of a jump"}),
            "jump_channel": (("block", "jump"), channel, {"long_name": "channel of a jump, a jump_number"}),
            "jump_offset": (("block", "edge"), np.stack(offsets) if offsets else np.empty((0, 0), dtype=np.int64)),
        },
        coords={
            "jump_number": np.arange(len(channels)),
            "jump_label": ("jump_number", np.array([label for label, _ in channels], dtype=str)),
            "jump_family": ("jump_number", np.array([family for _, family in channels], dtype=str)),
        },
    )


def stack(points: Sequence[tuple[Mapping[str, Any], xr.Dataset]]) -> xr.Dataset:
    """Datasets of several parameter points along the leading dimension `point`, swept parameters as coordinates.

    Points with fewer blocks, other times or other labels are filled with NaN, their counts with 0. Attributes that
    differ between points (the model's text, its lattice, the burn-in ...) become coordinates on `point`.
    """
    if not points:
        raise InputError("`points` must hold at least one parameter point, but it is empty")
    datasets = _same_lengths([data for _, data in points])
    labels = xr.DataArray(np.arange(len(points)), dims="point", name="point")
    if len(datasets) == 1:
        joined = datasets[0].expand_dims(point=labels.values)
    else:
        joined = xr.concat(
            datasets, dim=labels, join="outer", data_vars="all", coords="different", compat="equals",
            combine_attrs="drop_conflicts", fill_value={**{str(v): np.nan for v in datasets[0]}, **_FILL},
        )  # fmt: skip
    about = [data.attrs for data in datasets]
    keys = dict.fromkeys(key for attrs in about for key in attrs)
    differing = [key for key in keys if any(attrs.get(key) != about[0].get(key) for attrs in about)]
    joined.attrs = {key: value for key, value in about[0].items() if key not in differing}
    told = {key: ("point", _coordinate([attrs.get(key) for attrs in about])) for key in differing}
    names = dict.fromkeys(key for coordinates, _ in points for key in coordinates)
    swept = {key: ("point", _coordinate([coordinates.get(key) for coordinates, _ in points])) for key in names}
    return joined.assign_coords({**told, **swept})


def _same_lengths(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """The datasets with dimensions that have no labels padded at their ends to the longest."""
    padded = list(datasets)
    for dim in ("trajectory", "jump", "edge", "basis"):
        longest = max(data.sizes.get(dim, 0) for data in padded)
        for number, data in enumerate(padded):
            if (lack := longest - data.sizes.get(dim, longest)) == 0:
                continue
            pads = {name: [(0, lack) if d == dim else (0, 0) for d in v.dims] for name, v in data.items()}
            longer = {
                name: (v.dims, np.pad(v.values, pads[name], constant_values=_FILL.get(str(name), np.nan)), v.attrs)
                for name, v in data.items()
                if dim in v.dims
            }
            padded[number] = data.drop_vars(list(longer)).assign(longer)
    return padded


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
    Warns: TrajsimWarning with what the method is known to get wrong on this model.
    """
    from trajsim import __version__, streams
    from trajsim.grid import SteadyState, TimeGrid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import check_list
    from trajsim.records import check_size, check_supported
    from trajsim.samplers.protocol import attributes_of, check_sampler, notes_of

    for key, value in (("trajectories", trajectories), ("block", block)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"`{key}` must be a positive integer, but {value!r} was given")
    root = streams.draw_seed() if seed is None else streams.check_seed(seed)
    instance("model", model, SpinModel, "a SpinModel")
    check_sampler(sampler)
    instance("initial", initial, InitialState, "an initial state of trajsim.initial")
    instance("grid", grid, (TimeGrid, SteadyState), "a TimeGrid or SteadyState of trajsim.grid")
    observables = check_list(observables)
    check_supported(sampler, observables)
    sampler.check(model, initial)
    check_size(observables, model, len(grid.sample_times), block)
    for note in notes_of(sampler, model):
        warnings.warn(note, TrajsimWarning, stacklevel=2)
    compiled = sampler.compile(model, initial, grid, observables)
    blocks: list[tuple[int, BlockData]] = []
    for index in range(-(-trajectories // block)):
        data = compiled.run_block(root, index * block, block, keep_raw=raw)
        assert data is not None  # nothing interrupts an in-memory run but KeyboardInterrupt
        blocks.append((index, data))
    attrs = {
        **point_attributes(model),
        **attributes_of(sampler, model),
        "seed": str(root),
        "stream_version": streams.STREAM_VERSION,
        "trajsim_version": __version__,
    }
    return stack([({}, to_dataset(compiled.layout, blocks, attrs))])


def point_attributes(model: SpinModel) -> dict[str, Any]:
    """What a reader should know of a point's model: text, hash, number of sites, lattice; the spin, or the sum of spins
    where they differ.

    decay_modes: JSON, the eigenmodes of each correlated decay as `DecayModes.to_spec`; absent without one.
    """
    import json

    lattice = "null" if model.lattice is None else json.dumps(model.lattice.to_spec())
    spins = set(model.spins)
    spin = spins.pop() if len(spins) == 1 else None
    about = {"model": str(model), "model_hash": model.hash, "n_sites": model.n_sites, "lattice": lattice}
    if model.decay_modes:
        about["decay_modes"] = json.dumps({name: modes.to_spec() for name, modes in model.decay_modes.items()})
    if spin is not None:
        return {**about, "spin": spin}
    lengths = [s for s in model.spins if s is not None]
    return {**about, "total_spin": sum(lengths)} if len(lengths) == model.n_sites else about
