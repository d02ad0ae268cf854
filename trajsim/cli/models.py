"""``trajsim models``: the catalog."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from trajsim.cli.codes import OK
from trajsim.errors import InputError

__all__ = ["add_to"]


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "models", help="list the models of the catalog", description="The models of the literature by name."
    )
    parser.add_argument("name", nargs="?", help="print the equation, the source and the parameters of this model")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Print the list, or one model."""
    from trajsim.campaign.faults import guess
    from trajsim.catalog import CATALOG
    from trajsim.cli.tables import print_table

    if arguments.name is None:
        rows = [(name, (inspect.getdoc(model) or "").splitlines()[0]) for name, model in sorted(CATALOG.items())]
        print_table(["model", "what it is"], rows)
        return OK
    if arguments.name not in CATALOG:
        raise InputError(
            f"`NAME` must be one of {', '.join(sorted(CATALOG))}, "
            f"but {arguments.name!r} was given{guess(arguments.name, CATALOG)}"
        )
    model = CATALOG[arguments.name]
    print(f'{inspect.getdoc(model)}\n\n[model]\nname = "{arguments.name}"')
    for parameter in inspect.signature(model).parameters.values():
        required = parameter.default is parameter.empty
        if parameter.name == "lattice":
            print('lattice = { kind = "chain", length = 16, periodic = true }')
        else:
            value = "..." if required else str(parameter.default).lower()
            print(f"{parameter.name} = {value}".ljust(30) + ("# required" if required else "# default"))
    return OK
