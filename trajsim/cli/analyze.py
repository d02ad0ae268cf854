"""``trajsim analyze`` and ``trajsim plot``: results with error bars, as tables, files and figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
        description="Prints every result that the recorded observables allow, with standard errors.",
    )
    analyze.add_argument("--format", choices=_FORMATS, default="table", help="(default: table)")
    analyze.set_defaults(execute=_analyze)
    plot: argparse.ArgumentParser = commands.add_parser(
        "plot",
        help="one figure for each result",
        description="Draws one figure for each result; without --output into STORE-RESULT.png in this directory.",
    )
    plot.set_defaults(execute=_plot)
    for parser in (analyze, plot):
        parser.add_argument("store", metavar="STORE", help="directory of the store, such as campaign.zarr")
        parser.add_argument(
            "--observable", action="append", metavar="NAME", help="only this result; may be given several times"
        )
        parser.add_argument("--pauli", action="store_true", help="in Pauli matrices, for spins 1/2")
        parser.add_argument("--output", metavar="FILE", type=Path, help="write into this file")


def _analyze(arguments: argparse.Namespace) -> int:
    from trajsim import analysis

    if arguments.format == "netcdf" and arguments.output is None:
        raise InputError("`--output` must be given with `--format netcdf`, but it is missing")
    results = _results(arguments)
    if arguments.format == "csv" and len(results) != 1:
        raise InputError(
            f"`--observable` must name one of {', '.join(results)} with `--format csv`, but {len(results)} are selected"
        )
    if arguments.format == "netcdf":
        with _writing(arguments.output):
            analysis.to_netcdf(results, arguments.output)
        return OK
    with _output(arguments.output) as stream:
        if arguments.format == "json":
            stream.write(analysis.to_json(results) + "\n")
        elif arguments.format == "csv":
            stream.write(analysis.to_csv(*results.values()))
        else:
            _print_tables(results, stream)
    return OK


def _plot(arguments: argparse.Namespace) -> int:
    from trajsim import analysis

    results = _results(arguments)
    if arguments.output is not None and len(results) != 1:
        raise InputError(
            f"`--observable` must name one of {', '.join(results)} with `--output`, but {len(results)} are selected"
        )
    for name, result in results.items():
        path = arguments.output or Path(f"{Path(arguments.store).resolve().stem}-{name}.png")
        figure = analysis.plot(result)
        allowed = figure.canvas.get_supported_filetypes()
        if path.suffix[1:].lower() not in allowed:
            raise InputError(f"`--output` must end in one of {', '.join(sorted(allowed))}, but {path} was given")
        with _writing(path):
            figure.savefig(path)
        print(path)
    return OK


def _results(arguments: argparse.Namespace) -> dict[str, xr.Dataset]:
    """Results by name; what is refused is said on standard error, or is an error where it was asked for."""
    from trajsim import analysis
    from trajsim.campaign.faults import guess
    from trajsim.campaign.store import open as open_store

    found = analysis.attempt_all(open_store(arguments.store, raw=False))
    for name in arguments.observable or ():
        if name not in found:
            raise InputError(
                f"`--observable` must be one of {', '.join(found)}, but {name!r} was given{guess(name, found)}"
            )
    results = {}
    for name in arguments.observable or found:
        result = found[name]
        if not isinstance(result, InputError):
            results[name] = analysis.to_pauli(result) if arguments.pauli else result
        elif arguments.observable:
            raise result
        else:
            print(f"trajsim: no {name}: {result}", file=sys.stderr)
    return results


def _print_tables(results: dict[str, xr.Dataset], stream: TextIO) -> None:
    from rich.console import Console

    from trajsim import analysis

    wide = not stream.isatty()  # a file has no edge
    console = Console(file=stream, width=10_000 if wide else None)
    for name, result in results.items():
        console.print(f"\n[bold]{name}[/bold]" if len(results) > 1 else "", highlight=False)
        console.print(analysis.table(result, limit=None if wide else 40))


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
