"""Lee, Gopalakrishnan, Lukin, PRL 110, 257204 (2013), Fig. 4: spin correlations of the dissipative XYZ chain.

    trajsim run runs/lee-2013/fig4.toml
    python runs/lee-2013/fig4.py fig4.zarr fig4.png

draws <sigma^a_i sigma^a_{i+d}> against d in Pauli matrices, with error bars of one standard error, and prints what must
be seen: (a) at (Jx, Jy, Jz) = (2, 0, 1) all positive, at (-2, 0, 1) alternating, at (4, 2, 1) a spin-density wave whose
S(k) peaks at the mean-field period; (b) at (1, -1, 0) zero at odd and positive at even distances, xx = yy.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import trajsim
from trajsim import analysis
from trajsim.analysis.opened import jackknife_points
from trajsim.analysis.tables import with_error
from trajsim.errors import InputError, TrajsimError

FERROMAGNET, ANTIFERROMAGNET, DENSITY_WAVE, STAGGERED = (
    (2.0, 0.0, 1.0),
    (-2.0, 0.0, 1.0),
    (4.0, 2.0, 1.0),
    (1.0, -1.0, 0.0),
)

PANEL_A = {
    FERROMAGNET: ("FM", "o-", "tab:blue"),
    ANTIFERROMAGNET: ("AFM", "^--", "tab:green"),
    DENSITY_WAVE: ("SDW", "s-.", "tab:red"),
}
PANEL_B = {"xx": ("o-", "tab:blue"), "yy": ("^--", "tab:orange")}


def at(dataset: xr.Dataset, couplings: tuple[float, float, float]) -> xr.Dataset:
    """The point with these (Jx, Jy, Jz), dimension kept."""
    keys = ("model.Jx", "model.Jy", "model.Jz")
    missing = [key for key in keys if key not in dataset.coords]
    if missing:
        raise InputError(f"`{missing[0]}` must be swept in the store, but it is no coordinate of it")
    same = np.all([np.isclose(dataset[k].values, j) for k, j in zip(keys, couplings, strict=True)], axis=0)
    if not same.any():
        raise InputError(f"`sweep` must hold the point (Jx, Jy, Jz) = {couplings}, but the store has none")
    return dataset.isel(point=np.flatnonzero(same)[:1])


def curve(dataset: xr.Dataset, couplings: tuple[float, float, float], pair: str) -> xr.Dataset:
    """Correlations at d = 1 ... N/2 in Pauli matrices; -d holds the same numbers by translation."""
    result = analysis.to_pauli(analysis.correlation(at(dataset, couplings))).isel(point=0).sel(pair=pair)
    return result.isel(displacement=np.flatnonzero(result["displacement_vector"].values[:, 0] > 0)).sortby("distance")


def draw(dataset: xr.Dataset) -> Figure:
    """Both panels."""
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for couplings, (phase, style, colour) in PANEL_A.items():
        line = curve(dataset, couplings, "xx")
        label = f"{phase}: $(J_x, J_y, J_z) = ({', '.join(f'{j:g}' for j in couplings)})$"
        left.errorbar(
            line["distance"],
            line["value"],
            line["standard_error"],
            fmt=style,
            color=colour,
            markersize=4,
            capsize=2,
            label=label,
        )
    for pair, (style, colour) in PANEL_B.items():
        line = curve(dataset, STAGGERED, pair)
        a, b = pair
        label = rf"$\langle\sigma^{a}\sigma^{b}\rangle$, sXY: $(1, -1, 0)$"
        right.errorbar(
            line["distance"],
            line["value"],
            line["standard_error"],
            fmt=style,
            color=colour,
            markersize=4,
            capsize=2,
            label=label,
        )
    for axes, title, ylabel in (
        (left, "(a)", r"$\langle\sigma^x_m \sigma^x_n\rangle$ (Pauli matrices)"),
        (right, "(b)", r"$\langle\sigma^a_m \sigma^a_n\rangle$ (Pauli matrices)"),
    ):
        axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
        axes.set(xlabel=r"distance $|m - n|$ [lattice constants]", ylabel=ylabel, title=title)
        axes.legend(fontsize="small")
    return figure


def report(dataset: xr.Dataset) -> str:
    """Correlations with errors and z-scores, and the features of the figure in words."""
    lines = []
    for couplings, pair in [*((c, "xx") for c in PANEL_A), *((STAGGERED, p) for p in PANEL_B)]:
        line = curve(dataset, couplings, pair)
        z = z_scores(line["value"].values, line["standard_error"].values)
        lines.append(f"(Jx, Jy, Jz) = {couplings}, {pair}: {line['count'].item()} trajectories")
        lines += [
            f"  d = {d:2.0f}  {with_error(value, error):>14}  {s:+8.1f} standard errors from 0"
            for d, value, error, s in zip(
                line["distance"].values, line["value"].values, line["standard_error"].values, z, strict=True
            )
        ]
        lines.append(f"  {_verdict(couplings, z)}; largest error {line['standard_error'].values.max():.4f}")
    return "\n".join([*lines, _equality(dataset), _peak(dataset), analysis.correlation(dataset).attrs["statement"]])


def z_scores(value: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Distance from zero in standard errors; 0 where a symmetry makes the value vanish in every trajectory."""
    vanishing = np.abs(value) < 1e-12
    return np.where(vanishing, 0.0, value / np.where(vanishing, 1.0, error))


def _expected(couplings: tuple[float, float, float], d: np.ndarray) -> np.ndarray:
    """Signs of C(d) that the paper states; 0 where it states zero or the wave of period 16/3 has a node."""
    if couplings == FERROMAGNET:
        return np.ones_like(d)
    if couplings == ANTIFERROMAGNET:
        return (-1) ** d
    if couplings == STAGGERED:
        return (d + 1) % 2
    wave = np.cos(2 * np.pi * 3 / 16 * d)
    return np.where(np.abs(wave) < 1e-9, 0, np.sign(wave)).astype(int)


def _verdict(couplings: tuple[float, float, float], z: np.ndarray) -> str:
    """Whether every sign is the paper's where |C| exceeds two errors, and how far out all of them do."""
    expected = _expected(couplings, np.arange(1, len(z) + 1))
    stated = expected != 0
    right = bool((np.sign(z) == expected)[stated & (np.abs(z) > 2)].all())
    unclear = np.flatnonzero(stated & ~(z * expected > 2))
    reach = int(unclear[0]) if len(unclear) else len(z)
    text = f"signs as stated where |C| > 2 errors: {right}; all of them clear to distance {reach}"
    if couplings == STAGGERED:
        text += f"; odd distances at most {np.abs(z[~stated]).max():.1f} errors from zero"
    return text


def _equality(dataset: xr.Dataset) -> str:
    """xx - yy at (1, -1, 0); both come from the same trajectories, so the error is a jackknife of the difference."""
    point = at(dataset, STAGGERED)
    pairs = [str(p) for p in point["pair"].values]
    xx, yy = pairs.index("xx"), pairs.index("yy")
    rows = np.flatnonzero(point["displacement_vector"].values[:, 0] > 0)
    try:
        value, error, _ = jackknife_points(point, ["correlation"], lambda _: lambda c: (c[xx] - c[yy])[rows])
    except InputError as refusal:
        return f"(1, -1, 0): xx - yy not tested: {refusal}"
    return f"(1, -1, 0): xx - yy at most {np.abs(z_scores(value, error)).max():.1f} standard errors from zero"


def _peak(dataset: xr.Dataset) -> str:
    """Where S^xx(k) of the spin-density wave is largest; the mean field of Eq. (4) has a period of 5.3 sites."""
    try:
        result = analysis.to_pauli(analysis.structure_factor(at(dataset, DENSITY_WAVE))).isel(point=0).sel(pair="xx")
    except InputError as refusal:
        return f"(4, 2, 1): no S(k): {refusal}"
    k = result["wave_vector"].values[:, 0]
    half = result.isel(momentum=np.flatnonzero(k >= 0))
    order = np.argsort(-half["value"].values)
    texts = []
    for i in order[:2]:
        wave, number = half["wave_vector"].values[i, 0], half.isel(momentum=i)
        period = f"period {2 * np.pi / wave:.2f}" if wave > 0 else "uniform"
        height = with_error(number["value"].item(), number["standard_error"].item())
        texts.append(f"{height} at k = {wave / np.pi:g} pi ({period})")
    return f"(4, 2, 1): S^xx(k) is largest, {texts[0]}; next, {texts[1]}"


def main(arguments: list[str] | None = None) -> int:
    """Draw, save, print. Returns 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(description="Draw both panels of Lee 2013, Fig. 4, from a store.")
    parser.add_argument("store", help="store written by `trajsim run runs/lee-2013/fig4.toml`")
    parser.add_argument("output", help="figure to write, e.g. fig4.png")
    options = parser.parse_args(arguments)
    try:
        dataset = trajsim.open(options.store)
        draw(dataset).savefig(options.output, dpi=150)
        print(report(dataset))
    except TrajsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
