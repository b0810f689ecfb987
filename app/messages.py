"""Failed becomes a problem: what happened, what to do, and the actions that do it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.noop import QT_TRANSLATE_NOOP
from core.errors import NoFace, Problem, SeveralFaces
from core.events import Failed

if TYPE_CHECKING:
    from core.errors import LiveTalkError
    from core.events import Crashed, RecordingSaved


class Action(enum.Enum):
    """What a button of a problem or notice does; the window knows how."""

    RETRY = "retry"
    ANSWER_HERE = "answer_here"
    GO_ON = "go_on"
    OPEN_SETTINGS = "open_settings"
    CHECK_MICROPHONE = "check_microphone"
    CHECK_LOUDSPEAKER = "check_loudspeaker"
    CHANGE_DEVICE = "change_device"
    OPEN_IMAGE = "open_image"
    CHOOSE_FACE = "choose_face"
    PLACE_POINTS = "place_points"
    CHOOSE_FOLDER = "choose_folder"
    SHOW_FILE = "show_file"
    RESTART = "restart"
    CLOSE = "close"


@dataclass(frozen=True)
class Offer:
    """A button: its words and what it does."""

    words: str
    action: Action


@dataclass(frozen=True)
class Message:
    """What the window shows for an event. `problem` tells whether a message is the same one again; one that is not
    `lasting` is forgotten for whatever is shown next."""

    problem: Problem | None
    title: str
    advice: str
    offers: tuple[Offer, ...]
    detail: str = ""
    grave: bool = True
    lasting: bool = True


_RETRY = Offer(QT_TRANSLATE_NOOP("Message", "Retry"), Action.RETRY)
_HERE = Offer(QT_TRANSLATE_NOOP("Message", "Answer from this computer"), Action.ANSWER_HERE)
_OPEN_SETTINGS = Offer(QT_TRANSLATE_NOOP("Message", "Open settings"), Action.OPEN_SETTINGS)
_SETTINGS = Offer(QT_TRANSLATE_NOOP("Message", "Settings…"), Action.OPEN_SETTINGS)
_TRY_ANOTHER = Offer(QT_TRANSLATE_NOOP("Message", "Try another…"), Action.OPEN_IMAGE)
_CHOOSE_FACE = Offer(QT_TRANSLATE_NOOP("Message", "Choose a face…"), Action.CHOOSE_FACE)
_PLACE_POINTS = Offer(QT_TRANSLATE_NOOP("Message", "Place the points…"), Action.PLACE_POINTS)
_SHOW_FILE = Offer(QT_TRANSLATE_NOOP("Message", "Show file"), Action.SHOW_FILE)
_FOLDER = Offer(QT_TRANSLATE_NOOP("Message", "Choose another folder…"), Action.CHOOSE_FOLDER)
_OK = Offer(QT_TRANSLATE_NOOP("Message", "OK"), Action.CLOSE)
_OFFERS: dict[Problem, tuple[Offer, ...]] = {
    Problem.ENDPOINT_SILENT: (_RETRY, _HERE, _SETTINGS),
    Problem.ENDPOINT_UNREACHABLE: (_RETRY, _HERE, _SETTINGS),
    Problem.ENDPOINT_BUSY: (Offer(QT_TRANSLATE_NOOP("Message", "Try now"), Action.RETRY), _HERE),
    Problem.ENDPOINT_REFUSED: (_OPEN_SETTINGS, _RETRY, _HERE),
    Problem.KEY_REFUSED: (_OPEN_SETTINGS, _HERE),
    Problem.ANSWER_CUT: (
        Offer(QT_TRANSLATE_NOOP("Message", "Ask again"), Action.RETRY),
        Offer(QT_TRANSLATE_NOOP("Message", "Continue"), Action.GO_ON),
    ),
    Problem.NO_MICROPHONE: (Offer(QT_TRANSLATE_NOOP("Message", "Check again"), Action.CHECK_MICROPHONE),),
    Problem.NO_LOUDSPEAKER: (Offer(QT_TRANSLATE_NOOP("Message", "Check again"), Action.CHECK_LOUDSPEAKER),),
    Problem.DEVICE_LOST: (Offer(QT_TRANSLATE_NOOP("Message", "Change…"), Action.CHANGE_DEVICE),),
    Problem.PICTURE_REFUSED: (_TRY_ANOTHER,),
    Problem.PICTURE_UNREADABLE: (_TRY_ANOTHER,),
    Problem.PICTURE_RESTARTED: (),
    Problem.NO_OPENGL: (),
    Problem.DISK_FULL: (_SHOW_FILE, _FOLDER),
    Problem.FOLDER_UNWRITABLE: (_FOLDER,),
    Problem.RECORDING_FAILED: (_SHOW_FILE, _FOLDER),
    Problem.SETTINGS_BROKEN: (_SHOW_FILE,),
    Problem.SETTINGS_NEWER: (_SHOW_FILE,),
}
"""What may be done about each problem. Without an offer it is a notice that leaves by itself; where a problem is not
listed, OK."""
_ADVICE = {
    Problem.NO_MICROPHONE: QT_TRANSLATE_NOOP("Message", "Connect one, or type to {avatar}."),
    Problem.NO_LOUDSPEAKER: QT_TRANSLATE_NOOP("Message", "{avatar} answers in writing until there is one."),
}
"""Advice that names who is on the picture, which the engine's words leave out."""
_NOT_GRAVE = {
    Problem.DEVICE_LOST,
    Problem.PICTURE_RESTARTED,
    Problem.NO_KEYRING,
    Problem.NO_OPENGL,
    Problem.SETTINGS_NEWER,
    Problem.ENDPOINT_BUSY,
}
_MOMENTARY = {Problem.PICTURE_REFUSED, Problem.PICTURE_UNREADABLE, Problem.DEVICE_LOST}
_QUESTION_KEPT = {Problem.ENDPOINT_SILENT, Problem.ENDPOINT_UNREACHABLE, Problem.ENDPOINT_BUSY, Problem.ANSWER_CUT}
"""Problems that end with a turn the person may want answered after all."""


def message_for(failed: Failed, avatar: str = "") -> Message:
    """The words and buttons for expected trouble; `avatar` is the name of who is on the picture. The first offer is the
    one to take."""
    tr = QCoreApplication.translate
    advice = failed.advice
    if avatar and failed.problem in _ADVICE:
        advice = tr("Message", _ADVICE[failed.problem]).format(avatar=avatar)
    known = _OFFERS.get(failed.problem, (_OK,))
    if failed.problem is Problem.UNEXPECTED and failed.turn is not None:
        known = (_RETRY,)
    offers = tuple(_translated(offer) for offer in known)
    grave = failed.problem not in _NOT_GRAVE
    lasting = failed.problem not in _MOMENTARY
    return Message(failed.problem, failed.title, advice, offers, failed.detail, grave, lasting)


def picture_question(error: LiveTalkError) -> Offer | None:
    """The button by which a person may say what a refused picture does not show by itself."""
    if isinstance(error, SeveralFaces):
        return _translated(_CHOOSE_FACE)
    return _translated(_PLACE_POINTS) if isinstance(error, NoFace) else None


def picture_refused(error: LiveTalkError) -> Message:
    """Words and buttons for a picture of the person's own that cannot serve as it is."""
    message = message_for(Failed.of(error))
    asked = picture_question(error)
    return replace(message, offers=(asked, *message.offers)) if asked else message


def leaves_unanswered(failed: Failed) -> bool:
    """Whether the turn it ended waits for a retry."""
    return failed.turn is not None and failed.problem in _QUESTION_KEPT | {
        Problem.KEY_REFUSED,
        Problem.ENDPOINT_REFUSED,
        Problem.UNEXPECTED,
    }


def message_for_crash(crashed: Crashed) -> Message:
    tr = QCoreApplication.translate
    return Message(
        Problem.UNEXPECTED,
        tr("Message", "Something in LiveTalk stopped working."),
        tr("Message", "What was said is kept. Start again, and the conversation goes on."),
        (Offer(tr("Message", "Start again"), Action.RESTART),),
        crashed.report,
    )


def recording_saved(saved: RecordingSaved) -> Message:
    tr = QCoreApplication.translate
    return Message(
        None,
        tr("Message", "Recording saved: {length}.").format(length=spoken_length(saved.seconds)),
        str(saved.path.name),
        (Offer(tr("Message", "Show"), Action.SHOW_FILE),),
        grave=False,
    )


def spoken_length(seconds: float) -> str:
    """ "4 min 12 s"."""
    tr = QCoreApplication.translate
    minutes, rest = divmod(round(seconds), 60)
    if minutes:
        return tr("Message", "{minutes} min {seconds} s").format(minutes=minutes, seconds=rest)
    return tr("Message", "{seconds} s").format(seconds=rest)


def _translated(offer: Offer) -> Offer:
    return Offer(QCoreApplication.translate("Message", offer.words), offer.action)
