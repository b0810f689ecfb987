"""The trouble a person can do something about.

Anything that is not a `LiveTalkError` is a bug and must be loud.
"""

from __future__ import annotations

import enum


class Problem(enum.Enum):
    """What went wrong, as one of the cases the product has words and actions for."""

    ENDPOINT_SILENT = "endpoint_silent"
    ENDPOINT_UNREACHABLE = "endpoint_unreachable"
    ENDPOINT_BUSY = "endpoint_busy"
    ENDPOINT_REFUSED = "endpoint_refused"
    KEY_REFUSED = "key_refused"
    ANSWER_CUT = "answer_cut"
    ANSWER_DECLINED = "answer_declined"
    NO_MICROPHONE = "no_microphone"
    NO_LOUDSPEAKER = "no_loudspeaker"
    DEVICE_LOST = "device_lost"
    PICTURE_REFUSED = "picture_refused"
    PICTURE_UNREADABLE = "picture_unreadable"
    PICTURE_RESTARTED = "picture_restarted"
    NO_OPENGL = "no_opengl"
    DISK_FULL = "disk_full"
    FOLDER_UNWRITABLE = "folder_unwritable"
    RECORDING_FAILED = "recording_failed"
    SETTINGS_BROKEN = "settings_broken"
    SETTINGS_NEWER = "settings_newer"
    SETTINGS_UNWRITABLE = "settings_unwritable"
    NO_KEYRING = "no_keyring"
    MODEL_MISSING = "model_missing"
    MODEL_DAMAGED = "model_damaged"
    DOWNLOAD_FAILED = "download_failed"
    LICENCE_NOT_ACCEPTED = "licence_not_accepted"
    GPU_UNSUITABLE = "gpu_unsuitable"
    HISTORY_UNREADABLE = "history_unreadable"
    HISTORY_UNWRITABLE = "history_unwritable"
    SOUND_UNREADABLE = "sound_unreadable"
    ALREADY_RUNNING = "already_running"
    UNEXPECTED = "unexpected"


RECORDING_PROBLEMS = frozenset({Problem.DISK_FULL, Problem.FOLDER_UNWRITABLE, Problem.RECORDING_FAILED})
"""With any of these a recording has ended, or did not begin."""


class LiveTalkError(Exception):
    """Expected trouble: a sentence that says what happened and one that says what to do.

    Args:
        problem: which case it is; the window chooses its actions by it.
        title: one full sentence, in the person's words.
        advice: what to do next, one or two sentences.
        detail: the technical line for a report; never shown first, never the person's words.
        retry_after_s: seconds after which trying again makes sense, None when it does not.
    """

    def __init__(
        self, problem: Problem, title: str, advice: str, *, detail: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{title} {advice}")
        self.problem = problem
        self.title = title
        self.advice = advice
        self.detail = detail
        self.retry_after_s = retry_after_s


class DeviceError(LiveTalkError):
    """A microphone or loudspeaker is missing, lost or refused."""


class ServerError(LiveTalkError):
    """The endpoint failed; `retry_after_s` knows whether trying again helps."""


class PerformerError(LiveTalkError):
    """A picture cannot serve, or a model is missing or damaged."""


class PerformerUnfit(PerformerError):
    """A performer cannot go on on this computer: its device has no room left, or failed. Another one may."""


class NoFace(PerformerError):
    """No face was found in a picture, or none that can be made out; a person may show where it is."""


class SeveralFaces(PerformerError):
    """A picture shows more than one face; a person may choose.

    Args:
        boxes: left, top, right, bottom of each, in px of the picture as it was handed over, largest first.
    """

    def __init__(
        self, problem: Problem, title: str, advice: str, boxes: list[tuple[float, float, float, float]]
    ) -> None:
        super().__init__(problem, title, advice)
        self.boxes = boxes


class RecordingError(LiveTalkError):
    """The recording could not be begun or went on no longer; what was written is kept."""


class SettingsError(LiveTalkError):
    """The settings file could not be read or written."""
