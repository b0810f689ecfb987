"""`python -m core.training RECIPE`: the recipe says whose it is."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from core.training import motion, run, video


def main(arguments: list[str]) -> None:
    """Hand over to the recipe's own command."""
    recipe = next((Path(argument) for argument in arguments if argument.endswith(".toml")), None)
    whose = tomllib.loads(recipe.read_text("utf-8")).get("model") if recipe is not None else None
    {"livetalk": video, "portrait": motion}.get(whose or "", run).main(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
