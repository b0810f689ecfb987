"""Settings › Sound: what LiveTalk hears with and speaks through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSlider, QVBoxLayout

from app.background import run_in_background
from app.card import label
from app.form import Outcome, State, SteadyComboBox, TickBox, button, choices, field
from app.level_bars import LevelBars
from app.settings_pages.page import Form, Page
from app.theme import font, px, restyle
from core.listening.turns import TurnRules

if TYPE_CHECKING:
    from app.settings_services import MicrophoneTest, SoundDevices
    from core.errors import LiveTalkError
    from core.settings import Settings

METER_MS = 33
TEST_MS = 10_000
"""A test of the microphone ends by itself after this."""
LAST_WORDS_MS = 1500
"""The conversation hears again so long after a test, so that its last words are not taken for a turn."""
_QUIET, _GOOD, _LOUD = 0.08, 0.35, 0.97
"""Peaks below the first were silence, below the second too quiet, above the third overdriven."""


class SoundPage(Page):
    """Devices with their tests, volume, and how turns are taken."""

    def __init__(self, form: Form) -> None:
        super().__init__(form)
        self.head(self.tr("Sound"), self.tr("What LiveTalk hears with and speaks through. Changes are heard at once."))
        self._test: MicrophoneTest | None = None
        self._opening = self._playing = False
        self._peak = 0.0
        self._meter = QTimer(self, interval=METER_MS)
        self._meter.timeout.connect(self._measure)
        self._end = QTimer(self, interval=TEST_MS, singleShot=True)
        self._end.timeout.connect(self._stop_test)
        self._last_words = QTimer(self, interval=LAST_WORDS_MS, singleShot=True)
        self._last_words.timeout.connect(self._listen_again)
        self._microphone_fields()
        self._loudspeaker_fields()
        self._turn_fields()
        self.finish()
        self.show_settings(form.settings)
        self.volume.valueChanged.connect(self._set_volume)

    def _microphone_fields(self) -> None:
        self.microphone = choices((self.tr("Follow the system"), ""))
        self.microphone.activated.connect(self._choose_microphone)
        self.try_microphone = button(self.tr("Test"), pressed=self._test_microphone)
        self.microphone_outcome = Outcome()
        self.add(field(self.tr("Microphone"), self.microphone, self.try_microphone, below=self.microphone_outcome))
        self.bars = LevelBars(self.tr("Microphone level"))
        self.verdict = label("", "small")
        card = QFrame()
        card.setProperty("role", "card")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(16, 12, 16, 10)
        row = QHBoxLayout()
        row.addWidget(self.bars, 1)
        row.addWidget(self.verdict)
        inside.addLayout(row)
        inside.addWidget(label(self.tr("Say something: the bars should reach half height."), "small", wrap=True))
        self.add(card)

    def _loudspeaker_fields(self) -> None:
        self.loudspeaker = choices((self.tr("Follow the system"), ""))
        self.loudspeaker.activated.connect(self._choose_loudspeaker)
        self.try_loudspeaker = button(self.tr("Play a sound"), pressed=self._test_loudspeaker)
        self.loudspeaker_outcome = Outcome()
        self.add(field(self.tr("Loudspeaker"), self.loudspeaker, self.try_loudspeaker, below=self.loudspeaker_outcome))
        self.volume, volume_figure = _slider(0, 100, 5)
        self._volume_figure = volume_figure
        self.add(field(self.tr("Volume"), self.volume, volume_figure))

    def _turn_fields(self) -> None:
        self.talk = choices(
            (self.tr("Open microphone: LiveTalk notices when you finish"), "open"),
            (self.tr("Hold the space bar while you speak"), "hold"),
        )
        self.talk.activated.connect(
            lambda: self.form.change("listening", hold_to_talk=self.talk.currentData() == "hold")
        )
        self.add(field(self.tr("Speaking to the avatar"), self.talk))
        self.interrupt = TickBox(self.tr("Let me interrupt by speaking (with loudspeakers, echo is cancelled)"))
        self.interrupt.clicked.connect(lambda on: self.form.change("audio", echo="auto" if on else "half_duplex"))
        self.add(self.interrupt)
        self.silence, self._silence_figure = _slider(300, 2000, 100)
        self.silence.valueChanged.connect(self._set_silence)
        self.silence.setToolTip(
            self.tr("How long you may pause and keep your turn. When you sound finished, the answer comes sooner.")
        )
        self.add(field(self.tr("Patience"), self.silence, self._silence_figure))
        self.sensitivity, self._sensitivity_figure = _slider(0, 100, 5)
        self.sensitivity.valueChanged.connect(self._set_sensitivity)
        self.add(field(self.tr("Sensitivity to your voice"), self.sensitivity, self._sensitivity_figure))

    def show_settings(self, settings: Settings) -> None:
        audio, listening = settings.audio, settings.listening
        _choose_device(self.microphone, audio.microphone, self.tr("{} (not connected)"))
        _choose_device(self.loudspeaker, audio.loudspeaker, self.tr("{} (not connected)"))
        for slider, value in (
            (self.volume, round(audio.volume * 100)),
            (self.silence, listening.silence_ms),
            (self.sensitivity, round(listening.sensitivity * 100)),
        ):
            slider.blockSignals(True)
            slider.setValue(value)
            slider.blockSignals(False)
        self.talk.choose("hold" if listening.hold_to_talk else "open")
        self.interrupt.setChecked(audio.echo != "half_duplex")
        self._tell_figures()

    def entered(self) -> None:
        run_in_background(self, self.form.services.list_devices, self._offer, self.microphone_outcome.failed)

    def left(self) -> None:
        self._stop_test()
        self._listen_again()

    def _offer(self, devices: SoundDevices) -> None:
        for chooser, names in ((self.microphone, devices.microphones), (self.loudspeaker, devices.loudspeakers)):
            while chooser.count() > 1:
                chooser.removeItem(1)
            for name in names:
                chooser.addItem(name, name)
        self.show_settings(self.form.settings)

    def _choose_microphone(self) -> None:
        self._stop_test()
        self.form.change("audio", microphone=self.microphone.currentData())

    def _choose_loudspeaker(self) -> None:
        self.form.change("audio", loudspeaker=self.loudspeaker.currentData())

    def _set_volume(self, percent: int) -> None:
        self.form.change("audio", volume=percent / 100)
        self._tell_figures()

    def _set_silence(self, milliseconds: int) -> None:
        self.form.change("listening", silence_ms=milliseconds)
        self._tell_figures()

    def _set_sensitivity(self, percent: int) -> None:
        self.form.change("listening", sensitivity=percent / 100)
        self._tell_figures()

    def _tell_figures(self) -> None:
        self._volume_figure.setText(self.tr("{} %").format(self.volume.value()))
        patience = TurnRules.for_sensitivity(0.5, self.silence.value()).patience_ms
        self._silence_figure.setText(self.tr("{} s").format(self.locale().toString(patience / 1000, "f", 1)))
        self._sensitivity_figure.setText(self.tr("{} %").format(self.sensitivity.value()))

    def _test_microphone(self) -> None:
        if self._test is not None:
            self._stop_test()
            return
        if self._opening:
            return
        opener, name = self.form.services.test_microphone, self.form.settings.audio.microphone
        self._opening = True
        self._hush()
        self.microphone_outcome.tell(State.RUNNING, self.tr("Opening the microphone…"))
        run_in_background(self, lambda: opener(name), self._begin_test, self._no_microphone, lambda late: late.close())

    def _begin_test(self, test: MicrophoneTest) -> None:
        self._opening = False
        self.microphone_outcome.tell(State.NOTHING)
        if not self.isVisible():
            test.close()
            return
        self._hush()
        self._test = test
        self._peak = 0.0
        self.bars.clear()
        self.try_microphone.setText(self.tr("Stop"))
        self._meter.start()
        self._end.start()

    def _no_microphone(self, error: LiveTalkError) -> None:
        self._opening = False
        self._listen_again()
        self.microphone_outcome.failed(error)

    def _measure(self) -> None:
        if self._test is None:
            return
        level = self._test.level()
        self.bars.push(level)
        self._peak = max(self._peak * 0.995, level)
        words, tone = self._judge()
        if self.verdict.text() != words:
            self.verdict.setText(words)
            self.verdict.setProperty("tone", tone)
            restyle(self.verdict)

    def _judge(self) -> tuple[str, str]:
        if self._peak < _QUIET:
            return self.tr("Nothing heard"), "muted"
        if self._peak < _GOOD:
            return self.tr("Too quiet"), "warning"
        if self._peak > _LOUD:
            return self.tr("Too loud"), "warning"
        return self.tr("Good level"), "ok"

    def _stop_test(self) -> None:
        self._meter.stop()
        self._end.stop()
        if self._test is not None:
            self._test.close()
            self._test = None
            self._last_words.start()
        self.try_microphone.setText(self.tr("Test"))

    def _hush(self) -> None:
        """What is said for a test is not said to the avatar."""
        self._last_words.stop()
        self.form.services.hush(True)

    def _listen_again(self) -> None:
        self._last_words.stop()
        self.form.services.hush(False)

    def _test_loudspeaker(self) -> None:
        if self._playing:
            return
        play, audio = self.form.services.test_loudspeaker, self.form.settings.audio
        self._playing = True
        self.loudspeaker_outcome.tell(State.RUNNING, self.tr("Playing…"))
        run_in_background(
            self, lambda: play(audio.loudspeaker, audio.volume), lambda _: self._played(), self._not_played
        )

    def _played(self) -> None:
        self._playing = False
        words = self.tr("Played. If you heard nothing, choose another loudspeaker or turn up the volume.")
        self.loudspeaker_outcome.tell(State.OK, words)

    def _not_played(self, error: LiveTalkError) -> None:
        self._playing = False
        self.loudspeaker_outcome.failed(error)


def _slider(low: int, high: int, step: int) -> tuple[QSlider, QLabel]:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setSingleStep(step)
    slider.setPageStep(step * 2)
    figure = label("")
    figure.setFont(font(14, tabular=True))
    figure.setMinimumWidth(px(48))
    figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return slider, figure


def _choose_device(chooser: SteadyComboBox, name: str, absent: str) -> None:
    """Select a device by name, as an entry of its own when it is not among the connected ones."""
    if name and chooser.findData(name) < 0:
        chooser.addItem(absent.format(name), name)
    chooser.choose(name)
