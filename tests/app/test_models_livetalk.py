"""`livetalk models … livetalk-1.3b`, from a hub on this computer into a folder of nobody."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from app import cli
from app.setup import hub as hub_module
from app.setup import livetalk
from core.performer.livetalk.files import own_folder
from core.settings import load, settings_path
from tests.app.hub_server import Hub
from tests.app.livetalk_rig import expect, offer
from tests.livetalk_files import Miniature, safetensors, transformer_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]

TRANSFORMER = "LiveTalk-1.3B-V0.1/model.safetensors"
VAE = "Wan2.1-T2V-1.3B/Wan2.1_VAE.pth"


@pytest.fixture(scope="module")
def miniature() -> Miniature:
    return Miniature()


@pytest.fixture
def hub(miniature: Miniature, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """What the program fetches from: it has everything, in miniature."""
    monkeypatch.setenv("LIVETALK_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(hub_module, "PAUSES_S", (0.0,))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    expect(miniature, monkeypatch)
    with Hub() as made:
        offer(miniature, made)
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        yield made


@pytest.fixture
def models(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `livetalk models`: exit status, what it said, and what it said on the side."""

    def run(*words: str) -> tuple[int, str, str]:
        status = cli.main(["models", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


class Terminal(io.StringIO):
    """A standard input with a person before it."""

    def isatty(self) -> bool:
        return True


def test_nothing_is_downloaded_before_the_terms_are_accepted(hub: Hub, models: Run) -> None:
    status, out, _ = models("fetch", "livetalk-1.3b")
    assert status == 1
    assert "CC BY-NC-SA 4.0" in out
    assert "Apache-2.0" in out
    assert out.splitlines()[-1] == "Nothing was downloaded."
    assert hub.asked == []
    assert not own_folder().exists()


def test_a_person_is_asked_and_may_say_no_or_yes(hub: Hub, models: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("\n"))
    status, out, err = models("fetch", "livetalk-1.3b")
    assert (status, hub.asked) == (1, [])
    assert "Accept these terms" in err
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    status, out, _ = models("fetch", "livetalk-1.3b")
    assert status == 0
    assert str(own_folder() / TRANSFORMER) in out


def test_everything_comes_and_is_not_fetched_twice(hub: Hub, models: Run, miniature: Miniature) -> None:
    status, out, err = models("fetch", "livetalk-1.3b", "--accept-licence", "--json")
    assert status == 0
    assert json.loads(out.splitlines()[-1])["ready"]
    assert "livetalk-1.3b 100 %" in err
    assert "does not have taew2_1.pth" in err, "what is not needed is told of, and stops nothing"
    for path, content in miniature.contents.items():
        assert (own_folder() / path).read_bytes() == content
    asked = len(hub.asked)
    assert models("fetch", "livetalk-1.3b")[0] == 0
    assert len(hub.asked) == asked
    assert models("list", "livetalk-1.3b")[0] == 0


def test_a_download_that_broke_goes_on_where_it_was(hub: Hub, models: Run, miniature: Miniature) -> None:
    hub.trouble.cut_after = [100_000, 0, 0]
    status, _, err = models("fetch", "livetalk-1.3b", "--accept-licence")
    assert status == 1
    assert "What has arrived is kept." in err
    kept = hub_module.arrived(own_folder() / TRANSFORMER)
    assert 0 < kept <= 100_000
    left = json.loads(models("where", "livetalk-1.3b", "--json")[1].splitlines()[-1])["bytes_left"]
    assert left == miniature.size - kept
    assert models("fetch", "livetalk-1.3b")[0] == 0
    assert ("model.safetensors", kept) in hub.asked


@pytest.fixture
def keyboard() -> Iterator[None]:
    """Ctrl-C is heard also where the tests run in the background, which shells start deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("keyboard")
def test_ctrl_c_keeps_what_has_arrived(hub: Hub, models: Run) -> None:
    hub.trouble.stall_after = 100_000

    def press() -> None:
        hub.stalled.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    status, out, err = models("fetch", "livetalk-1.3b", "--accept-licence")
    presser.join()
    assert status == cli.INTERRUPTED
    assert "What has arrived is kept. To go on: livetalk models fetch livetalk-1.3b" in out
    assert "Stopped." in err
    hub.trouble.stall_after = None
    assert models("fetch", "livetalk-1.3b")[0] == 0


def test_the_disk_is_asked_first(hub: Hub, models: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=400_000_000))
    status, _, err = models("fetch", "livetalk-1.3b", "--accept-licence")
    assert status == 1
    assert "needs 0.5 GB of disk space, and 0.4 GB are free" in err
    assert hub.asked == []


def test_what_the_hub_has_under_another_models_name_is_refused(hub: Hub, models: Run) -> None:
    hub.files["GAIR/LiveTalk-1.3B-V0.1", "model.safetensors"] = safetensors(transformer_shapes(channels=16))
    status, _, err = models("fetch", "livetalk-1.3b", "--accept-licence")
    assert status == 1
    assert "is Wan2.1-T2V-1.3B, which hears nothing, and not the LiveTalk-1.3B video model" in err
    offered = [seen for seen in hub.asked if seen[0] == "model.safetensors"]
    models("fetch", "livetalk-1.3b")
    assert len([seen for seen in hub.asked if seen[0] == "model.safetensors"]) > len(offered), "it is tried again"


def test_offline_is_respected(hub: Hub, models: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    status, _, err = models("fetch", "livetalk-1.3b", "--accept-licence")
    assert (status, hub.asked) == (1, [])
    assert "HF_HUB_OFFLINE" in err


def test_a_folder_that_has_everything_is_used_as_it_is(
    hub: Hub, models: Run, miniature: Miniature, tmp_path: Path
) -> None:
    official = miniature.put(tmp_path / "pretrained_checkpoints")
    status, out, _ = models("fetch", "livetalk-1.3b", "--from", str(official))
    assert status == 0, "the small decoder is not needed"
    assert str(official / VAE) in out
    assert hub.asked == []
    assert load(settings_path()).avatar.weights == str(official)
    assert models("list", "livetalk-1.3b")[0] == 0, "it was remembered"


def test_only_what_a_folder_lacks_is_fetched(hub: Hub, models: Run, miniature: Miniature, tmp_path: Path) -> None:
    official = miniature.put(tmp_path / "official", VAE)
    assert models("fetch", "livetalk-1.3b", "--from", str(official), "--accept-licence")[0] == 0
    assert [name for name, _ in hub.asked] == ["Wan2.1_VAE.pth"]
    assert (own_folder() / VAE).exists()


def test_a_folder_without_any_of_them_is_not_remembered(hub: Hub, models: Run, tmp_path: Path) -> None:
    (tmp_path / "wan.safetensors").write_bytes(safetensors(transformer_shapes(channels=16)))
    status, _, err = models("fetch", "livetalk-1.3b", "--from", str(tmp_path))
    assert status == 1
    assert "has no file of LiveTalk 1.3B" in err
    assert "wan.safetensors is Wan2.1-T2V-1.3B, which hears nothing." in err
    assert load(settings_path()).avatar.weights == ""
    assert models("list", "livetalk-1.3b", "--from", str(tmp_path / "gone"))[0] == 1


def test_verify_reads_every_byte(hub: Hub, models: Run, miniature: Miniature) -> None:
    assert models("verify", "livetalk-1.3b")[0] == 1
    models("fetch", "livetalk-1.3b", "--accept-licence")
    status, out, _ = models("verify", "livetalk-1.3b", "--json")
    assert status == 0
    verified = json.loads(out.splitlines()[-1])["verified"]
    assert {one["piece"]: one["state"] for one in verified} == {
        "transformer": "ready",
        "vae": "ready",
        "audio": "ready",
        "tokenizer": "ready",
        "text": "ready",
        "small_decoder": "missing",
    }
    spoilt = bytearray(miniature.contents[TRANSFORMER])
    spoilt[-7] ^= 1
    (own_folder() / TRANSFORMER).write_bytes(spoilt)
    status, out, _ = models("verify", "livetalk-1.3b")
    assert status == 1
    assert out.splitlines()[0].split() == ["the", "LiveTalk-1.3B", "video", "model", "damaged"]
    assert models("fetch", "livetalk-1.3b")[0] == 0
    assert (own_folder() / TRANSFORMER).read_bytes() == miniature.contents[TRANSFORMER]


def test_files_of_the_hubs_own_tool_are_checked_by_its_notes(
    hub: Hub, models: Run, miniature: Miniature, tmp_path: Path
) -> None:
    official = miniature.put(tmp_path / "official")

    def states() -> dict[str, str]:
        out = models("verify", "livetalk-1.3b", "--from", str(official), "--json")[1]
        return {one["piece"]: one["state"] for one in json.loads(out.splitlines()[-1])["verified"]}

    assert states()["transformer"] == "unchecked"
    notes = official / "LiveTalk-1.3B-V0.1/.cache/huggingface/download"
    notes.mkdir(parents=True)
    note = notes / "model.safetensors.metadata"
    note.write_text(f"{'0' * 40}\n{'f' * 64}\n1763740800.0\n")
    assert states()["transformer"] == "damaged"


def test_the_list_names_it_beside_the_built_in_models(hub: Hub, models: Run) -> None:
    _, out, _ = models("list", "--json")
    line = next(line for line in out.splitlines() if line.startswith("livetalk-1.3b"))
    assert "missing" in line
    assert "CC BY-NC-SA 4.0 or Apache-2.0" in line
    assert json.loads(out.splitlines()[-1])["optional"][0]["name"] == "livetalk-1.3b"


def test_a_name_that_nobody_has_is_a_plain_message(models: Run) -> None:
    status, _, err = models("fetch", "sora")
    assert status == 1
    assert "livetalk-1.3b" in err


def test_two_downloads_into_one_folder_are_one_too_many(hub: Hub, models: Run) -> None:
    with livetalk._alone():
        status, _, err = models("fetch", "livetalk-1.3b", "--accept-licence")
    assert status == 1
    assert "Another LiveTalk is downloading these files." in err
    assert hub.asked == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("HF_HUB_OFFLINE", "switched off by HF_HUB_OFFLINE"), ("HF_ENDPOINT", "127.0.0.1 could not be reached")],
)
def test_the_hubs_own_variables_are_obeyed(tmp_path: Path, name: str, said: str) -> None:
    if shutil.disk_usage(tmp_path).free < 19e9:
        pytest.skip("the disk is asked first, and has no 19 GB")
    value = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}[name]
    environment = {**os.environ, "LIVETALK_MODELS": str(tmp_path), name: value}
    command = [sys.executable, "-m", "app", "models", "fetch", "livetalk-1.3b", "--accept-licence"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert ran.returncode == 1
    assert said in ran.stderr


def test_every_file_that_is_fetched_has_a_source_and_nearly_all_a_pinned_hash() -> None:
    files = [file for piece in livetalk.PIECES for file in piece.files]
    assert 17.5e9 < livetalk.size() < 18.5e9
    assert [file.repo for file in files if not file.sha256] == ["GAIR/LiveTalk-1.3B-V0.1"]
    assert all(len(file.sha256) in (0, 64) and file.size for file in files)
