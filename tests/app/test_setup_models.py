"""Models inside wheels: fetched by the real pip from a folder, checked, put in place."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from app.setup import models
from app.setup.models import MODELS, Model, ModelFile, fetch, folder, missing, state, verify
from core.errors import LiveTalkError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORDS = b"weights" * 1000


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETALK_MODELS", str(tmp_path / "models"))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Model]:
    """An index of one wheel, and the model that is in it."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))

    def make() -> Model:
        path = wheels / "tiny_model-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("tiny_model/model.bin", WORDS)
            wheel.writestr(
                "tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
            )
            wheel.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr("tiny_model-1.0.dist-info/RECORD", "")
        file = ModelFile("tiny_model/model.bin", "model.bin", hashlib.sha256(WORDS).hexdigest(), len(WORDS))
        bought = hashlib.sha256(path.read_bytes()).hexdigest()
        return Model("tiny", "tests", "tiny-model", "1.0", bought, path.stat().st_size, "MIT", (file,))

    return make


def test_a_model_is_fetched_checked_and_ready(shelf: Callable[[], Model]) -> None:
    model = shelf()
    steps: list[tuple[int, int]] = []
    assert state(model) == "missing"
    fetch(model, lambda done, total: steps.append((done, total)))
    assert verify(model) == "ready"
    assert steps[-1] == (model.wheel_size, model.wheel_size)
    assert [path.name for path in folder(model).parent.iterdir()] == ["tiny"], "nothing is left of the download"


def test_a_wheel_that_is_not_the_pinned_one_is_not_kept(shelf: Callable[[], Model]) -> None:
    model = replace(shelf(), wheel_sha256="0" * 64)
    with pytest.raises(LiveTalkError) as trouble:
        fetch(model)
    assert trouble.value.problem is Problem.MODEL_DAMAGED
    assert state(model) == "missing"


def test_a_wheel_that_cannot_be_had_is_a_plain_message(shelf: Callable[[], Model]) -> None:
    model = replace(shelf(), package="no-such-model-at-all")
    with pytest.raises(LiveTalkError) as trouble:
        fetch(model)
    assert trouble.value.problem is Problem.MODEL_MISSING
    assert "make models" in trouble.value.advice
    assert "no-such-model-at-all" in trouble.value.detail


def test_a_cut_file_is_seen_at_a_glance_and_a_changed_one_by_reading(shelf: Callable[[], Model]) -> None:
    model = shelf()
    path = folder(model) / "model.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(WORDS[:-1])
    assert state(model) == "damaged"
    path.write_bytes(WORDS[:-1] + b"!")
    assert (state(model), verify(model)) == ("ready", "damaged")


def test_fetching_again_repairs_a_damaged_file(shelf: Callable[[], Model]) -> None:
    model = shelf()
    folder(model).mkdir(parents=True)
    (folder(model) / "model.bin").write_bytes(b"half")
    fetch(model)
    assert verify(model) == "ready"


def test_a_folder_that_cannot_be_written_is_a_plain_message(
    shelf: Callable[[], Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LIVETALK_MODELS", str(tmp_path / "file" / "models"))
    with pytest.raises(LiveTalkError) as trouble:
        fetch(shelf())
    assert trouble.value.problem is Problem.FOLDER_UNWRITABLE


def test_every_model_is_pinned_whole() -> None:
    assert {model.name for model in MODELS} == {"face", "silero", "smart-turn", "moonshine", "smollm2"}
    for model in MODELS:
        assert len(model.wheel_sha256) == 64
        assert all(len(file.sha256) == 64 and file.size for file in model.files)
        assert any(file.name == "LICENSE" for file in model.files), f"{model.name} comes without its licence"
    assert missing() == MODELS


def test_the_command_fetches_what_is_missing_and_then_rests(
    shelf: Callable[[], Model], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = shelf()
    monkeypatch.setattr(models, "missing", lambda: missing((model,)))
    assert models.main() == 0
    assert "tiny" in capsys.readouterr().err
    assert models.main() == 0
    assert capsys.readouterr().err == ""
