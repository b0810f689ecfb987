"""Every golden case, where the tensors are at hand; the same cases as `python -m tests.golden`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.golden.__main__ import main
from tests.golden.folder import SHARED, Case, Folder
from tests.golden.table import cases_in

if TYPE_CHECKING:
    from pathlib import Path

ABSENT = "the golden tensors are not here: ../shared/golden"
CASES = cases_in(Folder(SHARED))


@pytest.mark.skipif(not SHARED.is_dir(), reason=ABSENT)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_what_the_release_computed_comes_out_here(case: Case) -> None:
    assert case.run() <= case.bound


@pytest.mark.skipif(not SHARED.is_dir(), reason=ABSENT)
def test_every_kind_of_golden_file_has_a_case() -> None:
    found = {case.files[0] for case in CASES}
    runs = {f"dit_tiny_run_{name}" for name in ("full", "sink0", "sink3", "ahis", "ahis_bf16")}
    others = {"dit_tiny_train_forward", "dit_tiny_trace", "audiopack", "wav2vec_tiny", "text_tiny", "scheduler"}
    assert runs | others <= found


def test_a_folder_without_golden_tensors_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "No golden case was found" in capsys.readouterr().err


@pytest.mark.skipif(not SHARED.is_dir(), reason=ABSENT)
def test_one_wrong_number_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.torch import save_file

    folder = Folder(SHARED)
    tensors = folder.tensors("scheduler")
    (tmp_path / "scheduler.json").write_text((SHARED / "scheduler.json").read_text())
    save_file(tensors, tmp_path / "scheduler.safetensors")
    assert main([str(tmp_path)]) == 0
    save_file(tensors | {"infer4.sigmas": tensors["infer4.sigmas"] + 1e-5}, tmp_path / "scheduler.safetensors")
    assert main([str(tmp_path)]) == 1
    assert "FAILED" in capsys.readouterr().out
