"""A private PulseAudio for tests: `lt_spk` is the loudspeaker, `lt_mic.monitor` the microphone, both made of nothing.

    with sound_server() as server:
        server.say(speech, 16_000)              # into the microphone
        heard = server.record(1.0)              # from the loudspeaker, 48 kHz

It needs the Debian packages pulseaudio, pulseaudio-utils and libasound2-plugins.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator

    from core.media import Samples

RATE = 48_000
_SINKS = ("lt_spk", "lt_mic")
_PROGRAMS = ("pulseaudio", "pactl", "pacat")
_START_LIMIT_S = 10.0
_VARIABLES = ("XDG_RUNTIME_DIR", "PULSE_SERVER", "PULSE_SINK", "PULSE_SOURCE", "PULSE_RUNTIME_PATH")


def sound_server_available() -> bool:
    return all(shutil.which(program) for program in _PROGRAMS)


@contextlib.contextmanager
def sound_server(echo_ms: int | None = None) -> Generator[SoundServer]:
    """A running server that this process and its children use; everything is undone on leaving.

    `echo_ms` makes a room: the loudspeaker is heard by the microphone, that much later.
    """
    folder = Path(tempfile.mkdtemp(prefix="lt-sound-"))
    before = {name: os.environ.get(name) for name in _VARIABLES}
    for name in _VARIABLES:
        os.environ.pop(name, None)
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    os.environ["PULSE_SERVER"] = f"unix:{folder}/pulse/native"
    server = SoundServer(folder)
    try:
        server.start(echo_ms)
        yield server
    finally:
        server.kill()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


class Recording:
    """Whatever the loudspeaker plays, from now until `stop`."""

    def __init__(self, source: str) -> None:
        self._process = subprocess.Popen(
            ["pacat", "--record", "-d", source, "--latency-msec=10", "--raw", f"--rate={RATE}", "--channels=1",
             "--format=s16le"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._pieces: list[bytes] = []
        self._begun = threading.Event()
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="recording")
        self._reader.start()
        if not self._begun.wait(_START_LIMIT_S):
            raise TimeoutError("the loudspeaker's monitor gives no sound")

    def _read(self) -> None:
        assert self._process.stdout
        while piece := os.read(self._process.stdout.fileno(), 1 << 14):
            with self._grown:
                self._pieces.append(piece)
                self._grown.notify_all()
            self._begun.set()

    @property
    def samples(self) -> Samples:
        """What has come so far, mono float32 at `RATE`."""
        with self._grown:
            data = b"".join(self._pieces)
        return np.frombuffer(data[: len(data) // 2 * 2], np.int16).astype(np.float32) * np.float32(1 / 32768)

    def wait_for(self, seconds: float) -> Samples:
        """At least so much, counted from the beginning of the recording.

        Raises:
            TimeoutError: the sound does not come.
        """
        wanted = int(seconds * RATE) * 2
        with self._grown:
            if not self._grown.wait_for(lambda: sum(map(len, self._pieces)) >= wanted, seconds * 2 + _START_LIMIT_S):
                raise TimeoutError(f"no {seconds} s of sound came from the loudspeaker's monitor")
        return self.samples

    def stop(self) -> Samples:
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()
        return self.samples


class SoundServer:
    """The server process and what can be done with it; made by `sound_server`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._feeders: list[subprocess.Popen[bytes]] = []

    def start(self, echo_ms: int | None = None) -> None:
        """Start the server; again, after `kill`."""
        sink = "module-null-sink sink_name={0} rate=48000 sink_properties=device.description={0}"
        loads = ["module-native-protocol-unix", sink.format("lt_spk"), sink.format("lt_mic")]
        if echo_ms is not None:
            loads.append(f"module-loopback source=lt_spk.monitor sink=lt_mic latency_msec={echo_ms}")
        self._process = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", "--use-pid-file=no"]
            + [part for load in loads for part in ("-L", load)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_it_answers()
        _pactl("set-default-sink", "lt_spk")
        _pactl("set-default-source", "lt_mic.monitor")
        # An idle null sink works in blocks of two seconds; a stream of silence keeps it awake.
        self._feeders = [_player(sink, RATE, subprocess.DEVNULL, "/dev/zero") for sink in _SINKS]
        for sink in _SINKS:
            self.record(0.05, f"{sink}.monitor")

    def kill(self) -> None:
        """The server dies, as if every device was unplugged."""
        for process in [*self._feeders, *([self._process] if self._process else [])]:
            process.kill()
            process.wait()
        self._feeders, self._process = [], None

    def say(self, samples: Samples, rate: int) -> None:
        """Play mono `samples` into the microphone; returns once they have been taken."""
        process = _player("lt_mic", rate, subprocess.PIPE, latency_ms=100)
        pcm = np.clip(np.rint(samples * 32767), -32768, 32767).astype(np.int16)
        process.communicate(pcm.tobytes())

    def say_wav(self, path: Path) -> None:
        """Play a sound file into the microphone; returns once it has been taken."""
        subprocess.run(["paplay", "-d", "lt_mic", str(path)], check=True)

    @contextlib.contextmanager
    def recording(self, source: str = "lt_spk.monitor") -> Generator[Recording]:
        """The loudspeaker's sound while the context lasts."""
        recording = Recording(source)
        try:
            yield recording
        finally:
            recording.stop()

    def record(self, seconds: float, source: str = "lt_spk.monitor") -> Samples:
        """The next seconds of the loudspeaker."""
        with self.recording(source) as recording:
            return recording.wait_for(seconds)

    def _wait_until_it_answers(self) -> None:
        waited = threading.Event()
        for _ in range(int(_START_LIMIT_S / 0.05)):
            if subprocess.run(["pactl", "info"], capture_output=True, check=False).returncode == 0:
                return
            waited.wait(0.05)
        raise TimeoutError("PulseAudio did not start")


def _pactl(*words: str) -> None:
    subprocess.run(["pactl", *words], check=True, capture_output=True)


def _player(sink: str, rate: int, stdin: int, path: str | None = None, latency_ms: int = 10) -> subprocess.Popen[bytes]:
    words = ["pacat", "--playback", "-d", sink, f"--latency-msec={latency_ms}"]
    form = ["--raw", f"--rate={rate}", "--channels=1", "--format=s16le"]
    return subprocess.Popen(
        [*words, *form, *([path] if path else [])], stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
