"""``trajsim analyze`` and ``trajsim plot``: results with error bars, as tables, files and figures."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from trajsim.cli.codes import OK
from trajsim.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["add_to"]

_FORMATS = ("table", "json", "csv", "netcdf")


def add_to(commands: Any) -> None:
    """Add the commands."""
    analyze: argparse.ArgumentParser = commands.add_parser(
        "analyze",
        help="means and derived results with standard errors",
        description="Means of the recorded observables with standard errors, and what is derived from them.",
    )
    analyze.add_argument(
        "--observable",
        action="append",
        metavar="NAME",
        help="only this result, recorded or derived, may be given several times; `all`: everything there is "
        "(default: everything recorded)",
    )
    analyze.add_argument("--format", choices=_FORMATS, default="table", help="(default: table)")
    analyze.set_defaults(execute=_analyze)
    plot: argparse.ArgumentParser = commands.add_parser(
        "plot",
        help="a figure of a result",
        description="Draws a figure of one result, recorded or derived.",
    )
    plot.add_argument(
        "--observable", metavar="NAME", help="the result (default: `correlation` or else the first recorded)"
    )
    plot.set_defaults(execute=_plot)
    for parser, default in ((analyze, "standard output"), (plot, "STORE-NAME.png in this directory")):
        parser.add_argument("store", metavar="STORE", help="directory of the store, such as campaign.zarr")
        parser.add_argument(
            "--window",
            nargs=2,
            type=float,
            metavar=("START", "STOP"),
            help="times that relaxation rates are fitted to, with --observable relaxation_rate_NAME or all "
            "(default: the whole grid)",
        )
        parser.add_argument("--pauli", action="store_true", help="in Pauli matrices, for spins 1/2")
        parser.add_argument("--output", metavar="FILE", type=Path, help=f"(default: {default})")


def _analyze(arguments: argparse.Namespace) -> int:
    from trajsim import analysis

    if arguments.format == "netcdf" and arguments.output is None:
        raise InputError("`--output` must be given with `--format netcdf`, but it is missing")
    found, recorded = _available(arguments.store, arguments.window)
    names: list[str] = arguments.observable or recorded
    _check_window(arguments.window, found if names == ["all"] else names, found)
    results = (
        _all(found, arguments.pauli)
        if names == ["all"]
        else {name: _compute(found, name, arguments.pauli) for name in names}
    )
    if arguments.format == "netcdf":
        with _writing(arguments.output):
            analysis.to_netcdf(results, arguments.output)
        return OK
    with _output(arguments.output) as stream:
        if arguments.format == "json":
            stream.write(analysis.to_json(results) + "\n")
        elif arguments.format == "csv":
            stream.write(analysis.to_csv(*results.values()) if len(results) == 1 else _joint_csv(results))
        else:
            _print_tables(results, stream)
            if arguments.observable is None and (others := [name for name in found if name not in results]):
                stream.write(f"\nderived, with --observable NAME: {', '.join(others)}\n")
    return OK


def _plot(arguments: argparse.Namespace) -> int:
    from trajsim import analysis

    found, recorded = _available(arguments.store, arguments.window)
    name = arguments.observable or ("correlation" if "correlation" in recorded else next(iter(found), ""))
    _check_window(arguments.window, [name], found)
    figure = analysis.plot(_compute(found, name, arguments.pauli))
    path = arguments.output or Path(f"{Path(arguments.store).resolve().stem}-{name}.png")
    allowed = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix[1:].lower() not in allowed:
        raise InputError(f"`--output` must end in one of {', '.join(allowed)}, but {path} was given")
    with _writing(path):
        figure.savefig(path)
    print(path)
    return OK


_Results = dict[str, Callable[[], "xr.Dataset"]]


def _check_window(window: list[float] | None, names: Collection[str], found: _Results) -> None:
    """Raises InputError where a window was given, but nothing is fitted. Names that do not exist are refused later."""
    known = all(name in found for name in names)
    if window is not None and known and not any(name.startswith("relaxation_rate_") for name in names):
        given = " ".join(f"{end:g}" for end in window)
        raise InputError(
            "`--window` must be given with `--observable relaxation_rate_NAME` or `all`, for which it is the times of "
            f"the fit, but {given} was given and nothing is fitted"
        )


def _available(store: str, window: list[float] | None) -> tuple[_Results, list[str]]:
    """What computes every result of a store, by name, and the names of the recorded observables."""
    from trajsim import analysis
    from trajsim.campaign.store import open as open_store

    dataset = open_store(store, raw=False)
    found = analysis.available(dataset, None if window is None else (window[0], window[1]))
    return found, [name for name in found if f"{name}_m2" in dataset]


def _compute(found: _Results, name: str, pauli: bool) -> xr.Dataset:
    from trajsim import analysis
    from trajsim.campaign.faults import guess

    if name not in found:
        raise InputError(
            f"`--observable` must be one of {', '.join(found)}, but {name!r} was given{guess(name, found)}"
        )
    result = found[name]()
    return analysis.to_pauli(result) if pauli else result


def _all(found: _Results, pauli: bool) -> dict[str, xr.Dataset]:
    """Every result that is not refused."""
    from trajsim import analysis

    results = {}
    for name, compute in found.items():
        with suppress(InputError):
            results[name] = compute()
    return {name: analysis.to_pauli(result) for name, result in results.items()} if pauli else results


def _joint_csv(results: dict[str, xr.Dataset]) -> str:
    """Rows of several results in one CSV table, empty where a result has no such column."""
    from trajsim import analysis

    rows = [{"result": name, **row} for name, result in results.items() for row in analysis.rows(result)]
    numbers = {str(name) for result in results.values() for name in result.data_vars}
    columns = sorted(dict.fromkeys(key for row in rows for key in row), key=numbers.__contains__)  # labels come first
    text = io.StringIO()
    for name, result in results.items():
        notes = (line for line in analysis.to_csv(result).splitlines() if line.startswith("#"))
        text.writelines(f"# {name}: {note.removeprefix('# ')}\n" for note in notes)
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _print_tables(results: dict[str, xr.Dataset], stream: TextIO) -> None:
    from trajsim import analysis
    from trajsim.cli.tables import render

    limit = 40 if stream.isatty() else None
    for name, result in results.items():
        stream.write(f"\n{name}\n")
        render(stream, analysis.table(result, limit=limit))


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    with _writing(path), path.open("w", encoding="utf-8") as stream:
        yield stream


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"`--output` must be a file that can be written, but {path}: {error.strerror}") from error
