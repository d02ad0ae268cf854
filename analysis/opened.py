"""What reducers read from an opened ensemble: recorded names, blocks, failures, per-point properties."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError
from trajsim.statistics import jackknife, pool

if TYPE_CHECKING:
    from trajsim.lattice import Lattice

Array = NDArray[np.float64]


def check(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with dimension `point` (one selected point gets it back). Raises InputError if it is no ensemble."""
    if not isinstance(dataset, xr.Dataset):
        raise InputError(f"`dataset` must be an opened ensemble (xarray.Dataset), but it is a {type(dataset).__name__}")
    if "count" not in dataset or "block" not in dataset["count"].dims:
        raise InputError(
            "`dataset` must be an opened ensemble with `count` for each block, as trajsim.open and trajsim.sample "
            f"return it, but its variables are {', '.join(map(str, dataset.data_vars)) or 'none'}"
        )
    return dataset if "point" in dataset["count"].dims else dataset.expand_dims("point")


def recorded(dataset: xr.Dataset) -> list[str]:
    """Names of the recorded observables."""
    return [str(name) for name in dataset.data_vars if f"{name}_m2" in dataset]


def restrict(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """The dataset without the components and pairs for which `name` was not recorded (others have other labels)."""
    for dimension in ("component", "pair"):
        if dimension in dataset[name].dims:
            others = [d for d in dataset[name].dims if d != dimension]
            there = np.flatnonzero(dataset[name].notnull().any(others).values)
            if 0 < len(there) < dataset.sizes[dimension]:
                dataset = dataset.isel({dimension: there})
    return dataset


def require(dataset: xr.Dataset, name: str, purpose: str) -> xr.Dataset:
    """The dataset with the labels for which an observable was recorded. Raises InputError if it was not at all."""
    if name not in recorded(dataset):
        have = ", ".join(recorded(dataset)) or "nothing"
        raise InputError(f"`{name}` must be recorded for {purpose}, but the ensemble holds {have}")
    return restrict(dataset, name)


def dimensions(dataset: xr.Dataset, name: str) -> list[str]:
    """Dimensions of the ensemble mean of an observable: point, time if there is one, its own."""
    return ["point", *(str(d) for d in dataset[name].dims if d not in ("point", "block"))]


def pooled(dataset: xr.Dataset, name: str) -> tuple[Array, Array, NDArray[np.int64]]:
    """Mean and sum of squared deviations over trajectories (or pairs), (point, [time], ...), and how many, (point,)."""
    mean, m2 = (dataset[n].transpose("point", "block", ...).values for n in (name, f"{name}_m2"))
    return pool(mean, m2, counts(dataset, name), axis=1)


def counts(dataset: xr.Dataset, name: str | None = None) -> NDArray[np.int64]:
    """Trajectories in each block, (point, block); 0 where a block is missing. Of observables of pairs, the pairs."""
    pairs = name is not None and dataset[name].attrs.get("samples") == "pairs"
    return _whole(dataset["pair_count" if pairs else "count"].transpose("point", "block"))


def _whole(array: xr.DataArray) -> NDArray[np.int64]:
    """Whole numbers again after an outer join has made them floats, 0 where it has put NaN."""
    whole: NDArray[np.int64] = np.nan_to_num(np.asarray(array.values, float)).astype(np.int64)
    return whole


def failed(dataset: xr.Dataset) -> NDArray[np.int64]:
    """Trajectories with a status other than 0, (point,)."""
    if "status" not in dataset:
        return np.zeros(dataset.sizes["point"], np.int64)
    status = dataset["status"]
    bad = status.isel(code=np.flatnonzero(status["code"].values != 0)).sum(("block", "code"))
    return np.asarray(bad.values).astype(np.int64)


def blocks(dataset: xr.Dataset, names: Sequence[str], point: int) -> tuple[list[Array], Array]:
    """Means of the blocks that exist at a point, (blocks, [time], ...) for each name, and their trajectory counts."""
    count = counts(dataset, names[0])[point]
    there = np.flatnonzero(count > 0)
    arrays = [dataset[name].isel(point=point, block=there) for name in names]
    return [np.asarray(a.transpose("block", ...).values, float) for a in arrays], count[there].astype(float)


def jackknife_points(
    dataset: xr.Dataset,
    names: Sequence[str],
    function: Callable[[int], Callable[..., Any]],
    *,
    correct_bias: bool = True,
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Jackknife of a function of block means at every point.

    function: point -> function of one array ([time], ...) for each name; all points give results of one shape.
    Returns (estimate (point, ...), standard error (point, ...), blocks (point,)). A point without blocks is NaN.
    Raises: InputError naming the point where there are fewer than 20 blocks.
    """
    return jackknife_blocks(
        dataset.sizes["point"], lambda p: blocks(dataset, names, p), function, correct_bias=correct_bias
    )


def jackknife_blocks(
    points: int,
    values_of: Callable[[int], tuple[Sequence[Array], Array]],
    function: Callable[[int], Callable[..., Any]],
    *,
    correct_bias: bool = True,
) -> tuple[Array, Array, NDArray[np.int64]]:
    """As `jackknife_points`, of any values that blocks have.

    values_of: point -> arrays (blocks, ...) and the weights of the blocks, (blocks,).
    """
    estimates: list[Array | None] = []
    errors: list[Array | None] = []
    number = np.zeros(points, dtype=np.int64)
    for point in range(points):
        values, weights = values_of(point)
        number[point] = len(weights)
        if len(weights) == 0:
            estimates.append(None)
            errors.append(None)
            continue
        try:
            estimate, error = jackknife(function(point), *values, weights=weights, correct_bias=correct_bias)
        except UnsupportedError:
            raise
        except InputError as refusal:
            raise InputError(f"{refusal} (point {point})" if points > 1 else str(refusal)) from None
        estimates.append(estimate)
        errors.append(error)
    found = next((e for e in estimates if e is not None), None)
    if found is None:
        raise InputError("`dataset` must hold at least one finished block, but it has none")
    empty = np.full(found.shape, np.nan)
    return (
        np.stack([empty if e is None else e for e in estimates]),
        np.stack([empty if e is None else e for e in errors]),
        number,
    )


def property_at(dataset: xr.Dataset, key: str, point: int) -> Any:
    """A property that may differ from point to point: the coordinate on `point`, else the attribute, else None."""
    if key in dataset.variables and "point" in dataset[key].dims:
        return dataset[key].isel(point=point).values.tolist()
    return dataset.attrs.get(key)


def lattice_at(dataset: xr.Dataset, point: int) -> Lattice:
    """The lattice at a point. Raises InputError where the model has none."""
    from trajsim.lattice import Lattice

    text = property_at(dataset, "lattice", point)
    spec = None if text is None else json.loads(text)
    if spec is None:
        reason = "the points have several" if text is None else "the model of the ensemble has none"
        raise InputError(f"`lattice` must be known and the same for all points for this result, but {reason}")
    return Lattice.from_spec(spec)


def common_lattice(dataset: xr.Dataset) -> Lattice:
    """The lattice of all points. Raises InputError where they differ."""
    lattices = {lattice_at(dataset, point) for point in range(dataset.sizes["point"])}
    if len(lattices) > 1:
        raise InputError(
            "`dataset` must hold points of one lattice for this result, but it holds several: select points with "
            "dataset.isel(point=[...])"
        )
    return lattices.pop()


def displacement_pairs(dataset: xr.Dataset, point: int) -> NDArray[np.int64]:
    """Ordered pairs of sites (i, j), i = j included, of each label of `displacement`, (displacement,); 0 if absent."""
    pairs = dataset["pairs"]
    if "point" in pairs.dims:
        pairs = pairs.isel(point=point)
    return _whole(pairs)


def zero_displacement(dataset: xr.Dataset) -> int:
    """Position on dimension `displacement` of a site to itself: the label "0", "(0,0)", ..."""
    labels = [str(label) for label in dataset["displacement"].values]
    return next(row for row, label in enumerate(labels) if not label.strip("(0,)"))


def displacement_rows(dataset: xr.Dataset, lattice: Lattice) -> NDArray[np.int64]:
    """Position on dimension `displacement` of every displacement of the lattice, (n_disp,).

    Labels may stand in any order (an outer join of several points sorts them). Raises InputError if one is missing.
    """
    labels = {str(label): row for row, label in enumerate(dataset["displacement"].values)}
    missing = [label for label in lattice.displacement_labels if label not in labels]
    if missing:
        raise InputError(f"`displacement` must hold every displacement of the lattice, but {missing[0]} is missing")
    return np.array([labels[label] for label in lattice.displacement_labels], dtype=np.int64)
