"""Where a command's film goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import Problem, RecordingError

if TYPE_CHECKING:
    from pathlib import Path


def refuse_unwritable(path: Path) -> None:
    """Find out before minutes of work that `path` cannot be written; an existing file is left as it is.

    Raises:
        RecordingError: the folder is missing or cannot be written, or a folder is in the way.
    """
    existed = path.exists()
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise RecordingError(
            Problem.FOLDER_UNWRITABLE,
            f'"{path}" can\'t be written.',
            "Choose another file with --out.",
            detail=str(error),
        ) from error
    if not existed:
        path.unlink()
