"""Weights are taken whole or not at all; what a file holds is told from its names and shapes."""

from __future__ import annotations

import json
import pickle
import struct
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.errors import PerformerError, Problem
from core.performer.diffusion.linears import fuse
from core.performer.diffusion.transformer import Transformer
from core.performer.livetalk.checkpoint import load_strictly, load_transformer, random_transformer
from core.performer.livetalk.fingerprint import fingerprint, fingerprint_of, fingerprints, shapes_of
from core.performer.livetalk.spec import TINY
from core.performer.livetalk.vae import WanVae

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

CPU = torch.device("cpu")
SIZES = TINY.transformer


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return Transformer(SIZES).state_dict()


def load(file: Path) -> Transformer:
    return load_transformer(file, SIZES, device=CPU, dtype=torch.float32)


def test_the_four_released_models_have_their_fingerprints() -> None:
    built = fingerprints()
    assert [(one.tensors, one.md5) for one in built] == [
        (857, "2bf9513c7a3e908015f11a800fc9b820"),
        (1137, "883a90b12576b9b8693a08cf690998dd"),
        (194, "ccc42284ea13e1ad04693284c7a09be6"),
        (242, "9c8818c2cbea55eca56c7b447df170da"),
    ]
    assert all(one.matches for one in built)


def test_a_safetensors_file_and_a_pickle_of_the_same_tensors_have_one_fingerprint(
    tmp_path: Path, weights: dict[str, Tensor]
) -> None:
    save_file(weights, tmp_path / "model.safetensors")
    torch.save(dict(weights), tmp_path / "model.pth")
    wanted = fingerprint({name: tuple(tensor.shape) for name, tensor in weights.items()})
    assert fingerprint_of(tmp_path / "model.safetensors") == fingerprint_of(tmp_path / "model.pth") == wanted


def test_names_and_shapes_are_what_is_counted() -> None:
    assert fingerprint({"a": (2, 3), "b": ()}) == fingerprint({"b": (), "a": (2, 3)})
    assert fingerprint({"a": (2, 3)}) != fingerprint({"a": (3, 2)}) != fingerprint({"b": (3, 2)})


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_back_as_they_were_written(tmp_path: Path, weights: dict[str, Tensor], suffix: str) -> None:
    file = tmp_path / f"model{suffix}"
    if suffix == ".pth":
        torch.save(dict(weights), file)
    else:
        save_file(weights, file)
    loaded, wanted = load(file), Transformer(SIZES)
    wanted.load_state_dict(weights)
    given = fuse(wanted).state_dict()
    assert loaded.state_dict().keys() == given.keys()
    assert all(torch.equal(tensor, given[name]) for name, tensor in loaded.state_dict().items())
    file.unlink()
    assert all(parameter.isfinite().all() for parameter in loaded.parameters()), "nothing hangs on the file"


def test_weights_take_the_numbers_of_the_device(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    save_file(weights, tmp_path / "model.safetensors")
    loaded = load_transformer(
        tmp_path / "model.safetensors", SIZES, device=CPU, dtype=torch.bfloat16, linears="fp8", native=False
    )
    kinds = {tensor.dtype for tensor in loaded.state_dict().values()}
    assert kinds == {torch.bfloat16, torch.float8_e4m3fn, torch.float32}
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def without(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in weights.items() if name != "blocks.3.ffn.0.bias"}


def with_another(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return weights | {"blocks.0.attn1.to_q.weight": torch.zeros(2)}


def of_another_shape(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return weights | {"patch_embedding.weight": torch.zeros(48, 16, 1, 2, 2)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without, "1 missing: blocks.3.ffn.0.bias"),
        (with_another, "1 unknown: blocks.0.attn1.to_q.weight"),
        (of_another_shape, "patch_embedding.weight is [48, 16, 1, 2, 2] and should be [48, 33, 1, 2, 2]"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_the_tensor_named(
    tmp_path: Path, weights: dict[str, Tensor], change: Callable[[dict[str, Tensor]], dict[str, Tensor]], words: str
) -> None:
    save_file(change(weights), tmp_path / "model.safetensors")
    with pytest.raises(PerformerError, match="is not LiveTalk's transformer") as raised:
        load(tmp_path / "model.safetensors")
    assert raised.value.problem is Problem.MODEL_DAMAGED
    assert words in raised.value.detail


def test_a_published_file_of_another_model_is_called_by_its_name(tmp_path: Path) -> None:
    with torch.device("meta"):
        shapes = {name: list(tensor.shape) for name, tensor in WanVae().state_dict().items()}
    end, header = 0, dict[str, object]()
    for name, shape in shapes.items():
        size = 4 * torch.Size(shape).numel()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    written = json.dumps(header).encode()
    with (tmp_path / "model.safetensors").open("wb") as opened:
        opened.write(struct.pack("<Q", len(written)) + written)
        opened.truncate(8 + len(written) + end)
    with pytest.raises(PerformerError, match=r"It is Wan2\.1 VAE\."):
        load(tmp_path / "model.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("kept", [0, 5, 400, -1])
def test_a_file_that_was_cut_is_told_as_such(
    tmp_path: Path, weights: dict[str, Tensor], suffix: str, kept: int
) -> None:
    file = tmp_path / f"model{suffix}"
    if suffix == ".pth":
        torch.save(dict(weights), file)
    else:
        save_file(weights, file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(PerformerError, match="damaged or cut short") as raised:
        load(file)
    assert raised.value.problem is Problem.MODEL_DAMAGED


def test_a_file_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(PerformerError, match="is not there") as raised:
        load(tmp_path / "model.safetensors")
    assert raised.value.problem is Problem.MODEL_MISSING


class Harm:
    """What a pickle that means harm would hold."""

    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("harm was done",))


@pytest.mark.parametrize("held", [Harm(), {"a": Harm()}, [torch.zeros(1)], {"a": 3}])
def test_a_pickle_may_hold_nothing_but_tensors(
    tmp_path: Path, held: object, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(held, tmp_path / "model.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(held))
    for name in ("model.pth", "plain.pth"):
        with pytest.raises(PerformerError, match="damaged or cut short"):
            shapes_of(tmp_path / name)
    assert "harm" not in capsys.readouterr().out


def test_a_module_that_a_file_cannot_fill_is_a_mistake_of_ours(tmp_path: Path) -> None:
    model = nn.Linear(2, 2, device="meta")
    model.register_buffer("kept", torch.zeros(2, device="meta"), persistent=False)
    save_file({"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(AssertionError, match="kept"):
        load_strictly(model, tmp_path / "model.safetensors", what="a layer", device=CPU, dtype=torch.float32)


def test_random_weights_are_the_same_for_a_seed_and_leave_no_trace() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (random_transformer(SIZES, device=CPU, dtype=torch.float32, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.patch_embedding.weight, same.patch_embedding.weight)
    assert not torch.equal(one.patch_embedding.weight, other.patch_embedding.weight)
