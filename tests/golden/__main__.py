"""Runs every case found in a folder and prints each one's greatest error beside its bound.

    python -m tests.golden ../shared/golden

The status is 1 when a case fails or none was found.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.golden.folder import Folder
from tests.golden.table import cases_in, without_a_case


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description="Compare with the released model.")
    parser.add_argument("folder", type=Path, help="safetensors files, each with a JSON beside it")
    folder = Folder(parser.parse_args(arguments).folder)
    cases = cases_in(folder)
    if not cases:
        print(f"No golden case was found in {folder.path}.", file=sys.stderr)
        return 1
    width = max(len(case.name) for case in cases)
    failed = 0
    for case in cases:
        error = case.run()
        passed = error <= case.bound
        failed += not passed
        print(
            f"{case.name:<{width}}  {error:9.2e}  bound {case.bound:7.1e}  {'ok' if passed else 'FAILED'}", flush=True
        )
    for stem in without_a_case(folder, cases):
        print(f"{stem}: no case here yet")
    print(f"{len(cases) - failed} of {len(cases)} cases passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
