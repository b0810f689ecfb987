"""Mp4Writer: H.264 and AAC in fragments, so that a killed process loses at most half a second."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.container import Flags

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import MediaFormat, Pixels, Samples

_FRAGMENT_S = 0.5
_AUDIO_BIT_RATE = 96_000
DISCLOSURE = "AI-generated picture: this video shows a synthetic avatar, made by LiveTalk"


class Mp4Writer:
    """One file. Times are media samples from the file's beginning, for picture and sound alike.

    Encoder and file belong to the thread that made the writer.

    Raises:
        OSError: the file cannot be written (also from `picture`, `sound` and `close`).
    """

    def __init__(self, path: Path, media: MediaFormat, width: int, height: int, title: str = "LiveTalk") -> None:
        self._container = av.open(
            str(path), "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}
        )
        self._container.flags |= Flags.flush_packets.value
        self._container.metadata.update({"title": title, "comment": DISCLOSURE, "encoder": "LiveTalk"})
        self._clock = Fraction(1, media.sample_rate)
        self._video = self._container.add_stream("libx264", rate=media.fps)
        self._video.width, self._video.height = width, height
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = self._clock
        self._video.codec_context.gop_size = max(1, round(media.fps * _FRAGMENT_S))
        self._video.options = {"preset": "veryfast", "crf": "18", "tune": "zerolatency"}
        self._audio = self._container.add_stream("aac", rate=media.sample_rate, layout="mono")
        self._audio.codec_context.bit_rate = _AUDIO_BIT_RATE
        self._rate = media.sample_rate
        self._written = 0

    def picture(self, pixels: Pixels, at: int) -> None:
        """`pixels` [h, w, 3] is shown from sample `at` on; later than the one before."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts, frame.time_base = at, self._clock
        for packet in self._video.encode(frame):
            self._container.mux(packet)

    def sound(self, samples: Samples) -> None:
        """The next samples, without a gap."""
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._written, self._clock
        self._written += len(samples)
        for packet in self._audio.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Write what the encoders still hold and end the file."""
        try:
            for stream in (self._video, self._audio):
                for packet in stream.encode(None):
                    self._container.mux(packet)
        finally:
            self._container.close()
