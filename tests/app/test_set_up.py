"""The set-up chooses system packages: its own script, where apt is a stand-in that writes down what it is asked."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = {
    "dpkg-query": 'shift 2; for name in "$@"; do case " $INSTALLED " in *" $name "*) echo installed;; esac; done',
    "apt-cache": 'case " $KNOWN " in *" $2 "*) ;; *) exit 100;; esac',
    "apt-get": 'case " $* " in *" install "*) echo "$@" >>asked.txt;; esac',
    "id": 'echo "$USER_NUMBER"',
    "sudo": "exit 1",
    "sleep": "",
}


class Machine:
    """A bare checkout in `folder` on a computer with these packages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copytree(ROOT / "packaging", folder / "packaging")
        shutil.copy(ROOT / "pyproject.toml", folder)
        self._program("bin", STAND_INS)
        self._program(".venv/bin", {"python": ""})
        stamps = folder / ".venv/stamps"
        stamps.mkdir()
        made_of = (folder / "pyproject.toml").read_bytes() + (folder / "packaging/setup.sh").read_bytes()
        (stamps / "python-run").write_text(hashlib.sha256(made_of).hexdigest())

    def set_up(self, installed: str, known: str, *, root: bool = True) -> subprocess.CompletedProcess[str]:
        listed = (self._folder / "packaging/packages.run.txt").read_text("utf-8").splitlines()
        others = " ".join(line for line in listed if not line.startswith("#") and "|" not in line)
        given = {
            "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}",
            "INSTALLED": f"{others} {installed}",
            "KNOWN": known,
            "USER_NUMBER": "0" if root else "1000",
        }
        return subprocess.run(
            [self._folder / "packaging/setup.sh", "run"],
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    @property
    def brought(self) -> list[str]:
        """What apt was asked to install."""
        asked = self._folder / "asked.txt"
        words = asked.read_text().split() if asked.exists() else []
        return [word for word in words if word in {"flite", "espeak-ng"} or "|" in word]

    def _program(self, folder: str, bodies: dict[str, str]) -> None:
        (self._folder / folder).mkdir(parents=True)
        for name, body in bodies.items():
            path = self._folder / folder / name
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)


@pytest.mark.parametrize(
    ("installed", "known", "brought"),
    [
        ("", "flite espeak-ng", ["flite"]),
        ("", "espeak-ng", ["espeak-ng"]),
        ("", "", []),
        ("espeak-ng", "flite espeak-ng", ["flite"]),
        ("espeak-ng", "espeak-ng", []),
        ("flite", "flite espeak-ng", []),
    ],
)
def test_the_best_voice_that_can_be_had_is_installed_and_none_stops_nothing(
    tmp_path: Path, installed: str, known: str, brought: list[str]
) -> None:
    machine = Machine(tmp_path)
    done = machine.set_up(installed, known)
    assert done.returncode == 0, done.stderr
    assert machine.brought == brought


def test_who_may_not_install_is_told_the_command_with_one_voice(tmp_path: Path) -> None:
    done = Machine(tmp_path).set_up("", "espeak-ng", root=False)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("apt-get install --no-install-recommends espeak-ng")
