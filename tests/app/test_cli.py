"""The command line: arguments, exit statuses, and who is told what."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from app import cli
from app.commands import system_libraries
from app.commands.terminal import Terminal, table
from core.errors import LiveTalkError, Problem

ROOT = Path(__file__).parents[2]


def livetalk(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_help_names_every_command_and_loads_neither_qt_nor_torch() -> None:
    heavy = "import sys; from app import cli; cli.parser(); sys.exit(bool({'PySide6', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", heavy], cwd=ROOT, check=False).returncode == 0
    said = cli.parser().format_help()
    for command in ("render", "converse", "doctor", "bench", "models"):
        assert f"    {command} " in said


def test_typed_and_spoken_turns_keep_the_order_in_which_they_were_given() -> None:
    options = cli.parser().parse_args(
        ["converse", "--avatar", "amara", "--out", "x.mp4", "--say", "Hello", "--audio", "a.wav", "--say", "Bye"]
    )
    assert options.turns == ("Hello", Path("a.wav"), "Bye")


def test_wrong_arguments_end_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["render", "--avatar", "amara"])
    assert ended.value.code == 2
    assert "--audio" in capsys.readouterr().err


def test_trouble_is_told_in_words_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise LiveTalkError(Problem.DISK_FULL, "The disk is full.", "Free some space.", detail="errno 28")

    monkeypatch.setattr(cli, "_models", fail)
    assert cli.main(["models", "list", "--json"]) == 1
    said = capsys.readouterr()
    assert said.err == "The disk is full.\nFree some space.\n"
    assert json.loads(said.out.splitlines()[-1])["error"]["problem"] == "disk_full"


def test_ctrl_c_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_models", interrupt)
    assert cli.main(["models", "list"]) == cli.INTERRUPTED
    assert "Traceback" not in capsys.readouterr().err


def test_doctor_says_what_is_well_and_ends_with_one_json_document() -> None:
    ran = livetalk("doctor", "--json")
    document = json.loads(ran.stdout.splitlines()[-1])
    assert ran.returncode == (0 if document["ok"] else 1)
    names = {check["name"] for check in document["checks"]}
    assert {"System libraries", "Screen", "Memory", "Disk", "GPU", "Offline voice", "Keyring", "Endpoint"} <= names
    assert all(check["advice"] for check in document["checks"] if check["state"] != "ok")


def test_doctor_fails_when_a_model_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETALK_MODELS", str(tmp_path / "nothing"))
    ran = livetalk("doctor", "--json")
    document = json.loads(ran.stdout.splitlines()[-1])
    assert ran.returncode == 1
    missing = [check for check in document["checks"] if check["state"] == "needed"]
    assert "Run: livetalk models fetch" in {check["advice"] for check in missing}


def test_a_screen_that_qt_cannot_open_is_reported_and_the_doctor_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    ran = livetalk("doctor", "--json")
    screen = next(c for c in json.loads(ran.stdout.splitlines()[-1])["checks"] if c["name"] == "Screen")
    assert ran.returncode == 1
    assert screen["state"] == "needed"


def test_models_where_and_list_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETALK_MODELS", str(tmp_path))
    assert livetalk("models", "where").stdout.strip() == str(tmp_path)
    listed = livetalk("models", "list", "--json")
    document = json.loads(listed.stdout.splitlines()[-1])
    assert listed.returncode == 1
    assert {model["state"] for model in document["models"]} == {"missing"}


def test_every_package_the_doctor_names_is_installed_by_the_set_up() -> None:
    listed = (ROOT / "packaging/packages.run.txt").read_text("utf-8").split()
    assert set(system_libraries.PACKAGES.values()) <= set(listed)


def test_a_library_that_is_not_found_is_traced_to_its_package() -> None:
    said = "\tlibc.so.6 => /lib/libc.so.6 (0x0)\n\tlibxcb-icccm.so.4 => not found\n\tlibGL.so.1 => not found\n"
    assert system_libraries.packages_for(system_libraries.absent_in(said)) == ["libgl1", "libxcb-icccm4"]


def test_a_table_has_its_columns_below_each_other() -> None:
    assert table([("step", "ms"), ("draw", "7.25")]) == ["step    ms", "draw  7.25"]


def test_progress_where_nothing_moves_is_told_once_a_tenth() -> None:
    err = io.StringIO()
    terminal = Terminal(io.StringIO(), err)
    for done in range(101):
        terminal.progress("Drawing", done, 100)
    assert err.getvalue().splitlines() == [f"Drawing {tenth} %" for tenth in range(0, 101, 10)]
