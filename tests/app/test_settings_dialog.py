"""The settings dialog: in force at once, taken back together, honest about tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea

from app.form import State
from app.keys import KeyStore
from app.settings_dialog import SettingsDialog
from app.settings_services import PresetChoice
from core.dialogue.probe import EndpointReport
from core.dialogue.profile import known_profiles
from core.errors import DeviceError, Problem, RecordingError, ServerError, SettingsError
from core.settings import Settings, changed
from tests.app.sheet_rig import (
    LIVETALK,
    PORTRAIT,
    Desk,
    answer_file_dialog,
    focusable,
    settle,
    use_theme,
    window_with_opener,
)

SECRET = "sk-never-on-the-disk-0815"
URL = "https://example.org/v1"
STILL = changed(Settings(), "window", reduce_motion=True)


@pytest.fixture
def shown(qtbot, qapp):
    """Opens the dialog: returns it and the list of settings that it has put in force."""
    use_theme(qapp)
    window, _ = window_with_opener()
    qtbot.addWidget(window)
    opened: list[SettingsDialog] = []

    def show(desk: Desk, page: str, settings: Settings = STILL, keys: KeyStore | None = None):
        applied: list[Settings] = []
        dialog = SettingsDialog(settings, window, applied.append, desk.services(keys), page)
        dialog.open()
        dialog.activateWindow()
        settle()
        opened.append(dialog)
        return dialog, applied

    yield show
    settle()


def _report(seconds: float, sound: bool) -> EndpointReport:
    return EndpointReport(seconds, sound, ("a-model-of-theirs",), "m", "v", known_profiles()["openai"])


def test_a_page_is_made_when_it_is_first_looked_at(qtbot, shown):
    dialog, _ = shown(Desk(), "sound")
    assert list(dialog.pages) == ["sound"]
    dialog.show_page("about")
    assert list(dialog.pages) == ["sound", "about"]
    assert len(dialog.page_names) == 7


def test_the_pages_are_turned_by_keyboard_wherever_the_focus_is(qtbot, shown):
    dialog, _ = shown(Desk(), "conversation")
    control = Qt.KeyboardModifier.ControlModifier
    turned = []
    for key in (Qt.Key.Key_PageDown, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp, Qt.Key.Key_PageUp, Qt.Key.Key_PageUp):
        qtbot.keyClick(dialog.focusWidget(), key, control)
        turned.append(dialog.page)
    assert turned == ["sound", "picture", "sound", "conversation", "conversation"]


def test_a_tick_is_in_force_at_once(qtbot, shown):
    dialog, applied = shown(Desk(), "window")
    dialog.pages["window"].boxes["always_on_top"].click()
    assert [settings.window.always_on_top for settings in applied] == [True]


def test_the_volume_moves_by_keyboard_and_says_its_figure(qtbot, shown):
    dialog, applied = shown(Desk(), "sound", changed(STILL, "audio", volume=0.5))
    page = dialog.pages["sound"]
    qtbot.keyClick(page.volume, Qt.Key.Key_Right)
    assert applied[-1].audio.volume == pytest.approx(0.55)
    assert page._volume_figure.text() == "55 %"


def test_typing_is_applied_once_when_the_field_is_left(qtbot, shown):
    dialog, applied = shown(Desk(), "conversation")
    page = dialog.pages["conversation"]
    page.url.setFocus()
    qtbot.keyClicks(page.url, URL)
    assert applied == []
    page.instructions.setFocus()
    assert [settings.dialogue.url for settings in applied] == [URL]
    assert applied[0].dialogue.use_endpoint


def test_typing_is_applied_by_itself_when_it_rests(qtbot, shown):
    dialog, applied = shown(Desk(), "conversation")
    qtbot.keyClicks(dialog.pages["conversation"].instructions, "Be brief.")
    qtbot.waitUntil(lambda: len(applied) == 1, timeout=5000)
    assert applied[0].dialogue.instructions == "Be brief."


def test_escape_right_after_typing_loses_nothing(qtbot, shown):
    dialog, applied = shown(Desk(), "conversation")
    page = dialog.pages["conversation"]
    page.url.setFocus()
    qtbot.keyClicks(page.url, URL)
    qtbot.keyClick(page.url, Qt.Key.Key_Escape)
    assert [settings.dialogue.url for settings in applied] == [URL]


def test_the_kind_of_endpoint_is_found_out_or_chosen_among_those_there_are(qtbot, shown):
    desk = Desk(kinds=[("mine", "The one in the cellar"), ("vllm_omni", "vLLM-Omni")])
    dialog, applied = shown(desk, "conversation", changed(STILL, "dialogue", url=URL))
    kinds = dialog.pages["conversation"].kind.kinds
    words = [kinds.itemText(index) for index in range(kinds.count())]
    assert words == ["Automatic", "The one in the cellar", "vLLM-Omni"]
    assert kinds.currentText() == "Automatic"
    kinds.setFocus()
    qtbot.keyClick(kinds, Qt.Key.Key_Down)
    assert applied[-1].dialogue.dialect == "mine"
    assert kinds.currentText() == "The one in the cellar"


def test_a_kind_that_is_not_there_any_more_is_shown_as_what_it_is(qtbot, shown):
    dialog, applied = shown(Desk(), "conversation", changed(STILL, "dialogue", url=URL, dialect="mine"))
    assert dialog.pages["conversation"].kind.kinds.currentText() == "mine (not there any more)"
    assert applied == []


def test_a_file_of_ones_own_kinds_that_cannot_be_read_is_told_of_where_they_are_chosen(qtbot, shown):
    broken = SettingsError(Problem.SETTINGS_BROKEN, "Your own kinds could not be read.", "Mend the file.")
    dialog, _ = shown(Desk(kinds=broken), "conversation", changed(STILL, "dialogue", url=URL))
    kind = dialog.pages["conversation"].kind
    assert kind.outcome.state is State.FAILED
    assert kind.outcome.words == "Your own kinds could not be read. Mend the file."
    assert kind.kinds.currentText() == "Automatic"


def test_what_is_no_address_is_said_and_not_applied(qtbot, shown):
    dialog, applied = shown(Desk(), "conversation")
    page = dialog.pages["conversation"]
    page.url.setFocus()
    qtbot.keyClicks(page.url, "my server")
    page.instructions.setFocus()
    assert applied == []
    assert page.outcome.state is State.FAILED
    assert "https://" in page.outcome.words


def test_undo_returns_to_what_was_when_it_opened(qtbot, shown):
    before = changed(STILL, "audio", volume=0.5)
    desk = Desk()
    dialog, applied = shown(desk, "sound", before)
    dialog.pages["sound"].volume.setValue(90)
    dialog.show_page("window")
    dialog.pages["window"].boxes["subtitles"].click()
    dialog.show_page("picture")
    dialog.pages["picture"].figures.click()
    assert len(applied) == 2
    assert desk.figures
    dialog._undo.click()
    assert applied[-1] == before
    assert not desk.figures
    assert dialog.pages["sound"].volume.value() == 50
    assert dialog.pages["window"].boxes["subtitles"].isChecked()


def test_undo_also_returns_the_key(qtbot, shown):
    keys = KeyStore({}, None)
    keys.keep(URL, "the-old-key")
    desk = Desk()
    dialog, _ = shown(desk, "conversation", changed(STILL, "dialogue", url=URL), keys)
    page = dialog.pages["conversation"]
    page.key.key.selectAll()
    qtbot.keyClicks(page.key.key, SECRET)
    page.left()
    settle()
    assert keys.key_of(URL) == SECRET
    dialog._undo.click()
    settle()
    assert (keys.key_of(URL), page.key.key.text(), desk.keys_changed) == ("the-old-key", "the-old-key", 2)


def test_a_key_without_a_keyring_is_kept_for_this_run_and_said_so_and_is_on_no_disk(qtbot, shown, tmp_path):
    keys = KeyStore({}, None)
    desk = Desk()
    dialog, applied = shown(desk, "conversation", keys=keys)
    page = dialog.pages["conversation"]
    qtbot.keyClicks(page.key.key, SECRET)
    qtbot.keyClick(page.key.key, Qt.Key.Key_Return)
    settle()
    assert keys.key_of("") == SECRET
    assert page.key.place.text() == "No keyring was found, so the key is kept until you quit."
    assert desk.keys_changed == 1
    assert SECRET not in repr(applied)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and SECRET in file.read_text(errors="ignore")]


def test_a_key_typed_just_before_closing_is_kept(qtbot, shown):
    keys, desk = KeyStore({}, None), Desk()
    dialog, _ = shown(desk, "conversation", keys=keys)
    qtbot.keyClicks(dialog.pages["conversation"].key.key, SECRET)
    dialog.reject()
    settle()
    assert (keys.key_of(""), desk.keys_changed) == (SECRET, 1)


def test_each_address_has_its_own_key_and_one_typed_before_it_is_the_first_ones(qtbot, shown):
    keys, desk = KeyStore({}, None), Desk()
    dialog, _ = shown(desk, "conversation", keys=keys)
    page = dialog.pages["conversation"]
    qtbot.keyClicks(page.key.key, SECRET)
    page.left()
    settle()
    _type_address(qtbot, page, URL)
    assert (keys.key_of(URL), page.key.key.text()) == (SECRET, SECRET)
    _type_address(qtbot, page, "https://elsewhere.example/v1")
    assert (keys.key_of("https://elsewhere.example/v1"), page.key.key.text()) == ("", "")
    _type_address(qtbot, page, URL)
    assert page.key.key.text() == SECRET


def _type_address(qtbot, page, url: str) -> None:
    page.url.setFocus()
    page.url.selectAll()
    qtbot.keyClicks(page.url, url)
    page.instructions.setFocus()
    settle()


def test_speech_services_are_folded_away_and_have_a_key_of_their_own(qtbot, shown):
    keys, desk = KeyStore({"LIVETALK_API_KEY": "the-endpoints"}, None), Desk()
    dialog, applied = shown(desk, "conversation", changed(STILL, "dialogue", url=URL), keys)
    fields = dialog.pages["conversation"].speech_services
    assert not fields.card.isVisible()
    fields.unfold.click()
    assert fields.card.isVisible()
    assert not fields.key.isVisible()
    fields.boxes["speech_url"].setFocus()
    qtbot.keyClicks(fields.boxes["speech_url"], "http://localhost:8880/v1")
    dialog.pages["conversation"].left()
    settle()
    assert applied[-1].dialogue.speech_url == "http://localhost:8880/v1"
    assert "and your speech services" in dialog.pages["conversation"].about.text()
    assert fields.key.isVisible()
    assert fields.key.key.text() == ""
    qtbot.keyClicks(fields.key.key, SECRET)
    dialog.pages["conversation"].left()
    settle()
    assert keys.key_of("http://localhost:8880/v1", service=True) == SECRET


def test_the_environments_key_is_shown_as_such_and_cannot_be_typed_over(qtbot, shown):
    keys = KeyStore({"LIVETALK_API_KEY": "from-outside"}, None)
    dialog, _ = shown(Desk(), "conversation", keys=keys)
    page = dialog.pages["conversation"]
    assert page.key.key.isReadOnly()
    assert page.key.place.text().startswith("LIVETALK_API_KEY is set")


def test_a_test_that_worked_shows_its_figure_and_offers_the_models(qtbot, shown):
    desk = Desk(endpoint=lambda: _report(0.314, sound=True))
    asked = changed(STILL, "dialogue", url=URL, model="m1", voice="Cherry")
    dialog, _ = shown(desk, "conversation", asked)
    page = dialog.pages["conversation"]
    page.test.click()
    assert page.outcome.state is State.RUNNING
    settle()
    assert (page.outcome.state, page.outcome.words) == (State.OK, "Answered in 0.31 s, with sound")
    assert desk.asked == [("test", URL, "m1", "", "Cherry")]
    assert page.model.findText("a-model-of-theirs") >= 0
    assert page.model.currentText() == "m1"


@pytest.mark.parametrize(
    ("whose", "told"),
    [
        ("service", "The model writes, the speech service speaks."),
        ("here", "The model writes, this computer’s voice speaks: English only."),
        ("nobody", "but without sound. Choose a model that speaks."),
    ],
)
def test_whose_voice_is_heard_is_said_plainly(qtbot, shown, whose, told):
    report = dataclasses.replace(_report(0.5, sound=False), voice_from=whose, hears=False)
    dialog, _ = shown(Desk(endpoint=lambda: report), "conversation", changed(STILL, "dialogue", url=URL))
    page = dialog.pages["conversation"]
    page.test.click()
    settle()
    assert page.outcome.state is State.REMARK
    assert told in page.outcome.words
    assert page.outcome.words.endswith("What you say is written down before it is sent.")


def test_a_test_that_failed_shows_the_advice(qtbot, shown):
    def refuse() -> EndpointReport:
        raise ServerError(Problem.KEY_REFUSED, "The endpoint did not accept the key.", "Check it in Settings.")

    dialog, _ = shown(Desk(endpoint=refuse), "conversation", changed(STILL, "dialogue", url=URL))
    page = dialog.pages["conversation"]
    page.test.click()
    settle()
    assert page.outcome.state is State.FAILED
    assert page.outcome.words == "The endpoint did not accept the key. Check it in Settings."


def test_the_built_in_companion_answers_by_choice_and_the_address_is_kept(qtbot, shown):
    dialog, applied = shown(Desk(), "conversation", changed(STILL, "dialogue", url=URL))
    page = dialog.pages["conversation"]
    page.switch.click()
    assert (applied[-1].dialogue.use_endpoint, applied[-1].dialogue.url) == (False, URL)
    assert page.switch.text() == "Use the endpoint"
    page.switch.click()
    assert applied[-1].dialogue.use_endpoint


def test_devices_are_chosen_by_name_and_an_absent_one_stays_visible(qtbot, shown):
    dialog, applied = shown(Desk(), "sound", changed(STILL, "audio", loudspeaker="Jabra"))
    page = dialog.pages["sound"]
    assert page.loudspeaker.currentText() == "Jabra (not connected)"
    page.microphone.setFocus()
    qtbot.keyClick(page.microphone, Qt.Key.Key_Down)
    assert applied[-1].audio.microphone == "Desk microphone"


def test_a_microphone_test_shows_the_level_and_ends_when_the_page_is_left(qtbot, shown):
    desk = Desk()
    dialog, _ = shown(desk, "sound")
    page = dialog.pages["sound"]
    page.try_microphone.click()
    settle()
    qtbot.waitUntil(lambda: page.verdict.text() == "Good level")
    dialog.show_page("about")
    assert desk.microphone.closed
    assert page.try_microphone.text() == "Test"


def test_a_microphone_that_opens_after_the_dialog_closed_is_closed_again(qtbot, shown):
    desk = Desk()
    dialog, _ = shown(desk, "sound")
    dialog.pages["sound"].try_microphone.click()
    dialog.reject()
    settle()
    assert [what for what, *_ in desk.asked if what != "hush"] == ["microphone"]
    assert desk.microphone.closed
    assert hushes(desk)[-1] is False


def hushes(desk: Desk) -> list[object]:
    """When the conversation was told to hear nothing, and to hear again."""
    return [on for what, on in desk.asked if what == "hush"]


@pytest.mark.parametrize("end", ["again", "page", "dialog", "by itself"])
def test_what_is_said_for_a_test_of_the_microphone_is_not_said_to_the_avatar(qtbot, shown, monkeypatch, end):
    monkeypatch.setattr("app.settings_pages.sound.LAST_WORDS_MS", 30)
    monkeypatch.setattr("app.settings_pages.sound.TEST_MS", 30 if end == "by itself" else 10_000)
    desk = Desk()
    dialog, _ = shown(desk, "sound")
    page = dialog.pages["sound"]
    page.try_microphone.click()
    assert hushes(desk) == [True]
    settle()
    assert False not in hushes(desk)
    if end == "again":
        page.try_microphone.click()
        assert False not in hushes(desk)
    elif end == "page":
        dialog.show_page("about")
    elif end == "dialog":
        dialog.reject()
    qtbot.waitUntil(lambda: hushes(desk)[-1] is False, timeout=5000)


def test_a_missing_microphone_is_said_in_place(qtbot, shown, monkeypatch):
    desk = Desk()

    def missing(_: str):
        raise DeviceError(Problem.NO_MICROPHONE, "No microphone was found.", "Connect one, or type.")

    monkeypatch.setattr(desk, "_open_microphone", missing)
    dialog, _ = shown(desk, "sound")
    page = dialog.pages["sound"]
    page.try_microphone.click()
    settle()
    assert page.microphone_outcome.words == "No microphone was found. Connect one, or type."
    assert hushes(desk)[-1] is False
    assert page.try_microphone.isEnabled()


def test_the_loudspeaker_is_tested_at_the_volume_that_is_set(qtbot, shown):
    desk = Desk()
    dialog, _ = shown(desk, "sound", changed(STILL, "audio", volume=0.25))
    page = dialog.pages["sound"]
    page.try_loudspeaker.click()
    settle()
    assert desk.asked == [("play", "", 0.25)]
    assert page.loudspeaker_outcome.state is State.OK


def test_a_performer_this_computer_cannot_run_is_shown_and_cannot_be_chosen(qtbot, shown):
    dialog, applied = shown(Desk(), "picture", changed(STILL, "avatar", performer="portrait"))
    cards = dialog.pages["picture"].cards
    assert "NVIDIA GPU with 24 GB: this computer has none: not met" in cards["livetalk"].accessibleDescription()
    qtbot.mouseClick(cards["livetalk"], Qt.MouseButton.LeftButton)
    qtbot.keyClick(cards["livetalk"], Qt.Key.Key_Return)
    assert applied == []
    assert cards["portrait"].isChecked()
    assert not cards["livetalk"].isChecked()
    cards["livetalk"].what.click()
    assert not cards["livetalk"].needs.isHidden()


def test_a_performer_is_chosen_by_keyboard(qtbot, shown):
    dialog, applied = shown(Desk(), "picture", changed(STILL, "avatar", performer="another"))
    qtbot.keyClick(dialog.pages["picture"].cards["portrait"], Qt.Key.Key_Return)
    assert [settings.avatar.performer for settings in applied] == ["portrait"]


def test_the_recording_folder_is_chosen_in_the_file_dialog(qtbot, shown, qapp, tmp_path):
    qapp.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs, True)
    dialog, applied = shown(Desk(), "recording")
    page = dialog.pages["recording"]
    answer_file_dialog(tmp_path)
    page.choose.click()
    qtbot.waitUntil(lambda: bool(applied), timeout=5000)
    assert Path(applied[-1].recording.folder) == tmp_path
    assert Path(page.folder.text()) == tmp_path


def test_a_folder_that_cannot_be_written_is_refused_and_the_old_one_stays(qtbot, shown, tmp_path):
    desk = Desk(
        refuse_folder=RecordingError(
            Problem.FOLDER_UNWRITABLE, "Recordings can't be written there.", "Choose another folder."
        )
    )
    dialog, applied = shown(desk, "recording")
    page = dialog.pages["recording"]
    before = page.folder.text()
    page._try(tmp_path)
    settle()
    assert applied == []
    assert page.folder.text() == before
    assert page.outcome.words == "Recordings can't be written there. Choose another folder."


def test_privacy_names_the_host_that_words_are_sent_to(qtbot, shown):
    dialog, _ = shown(Desk(), "privacy", changed(STILL, "dialogue", url="https://omni.example.org:8443/v1"))
    assert "omni.example.org," in dialog.pages["privacy"].sent.text()
    dialog.change("dialogue", use_endpoint=False)
    dialog.pages["privacy"].entered()
    assert dialog.pages["privacy"].sent.text().endswith("Nothing leaves it.")


def test_privacy_names_every_host_that_hears_or_speaks(qtbot, shown):
    settings = changed(
        STILL,
        "dialogue",
        url="https://words.example.org/v1",
        transcription_url="https://ears.example.net/v1",
        speech_url="https://words.example.org/speech",
    )
    dialog, _ = shown(Desk(), "privacy", settings)
    words = dialog.pages["privacy"].sent.text()
    assert [words.count(host) for host in ("words.example.org", "ears.example.net")] == [1, 1]


def test_everything_that_takes_the_focus_has_an_accessible_name(qtbot, shown):
    dialog, _ = shown(Desk(), "picture")
    for name in dialog.page_names:
        dialog.show_page(name)
        settle()
    nameless = [
        f"{name}: {type(widget).__name__}"
        for name, page in dialog.pages.items()
        for widget in focusable(page)
        if widget.window() is dialog and not (widget.accessibleName() or getattr(widget, "text", str)())
    ]
    assert nameless == []


def test_at_200_percent_text_no_page_is_wider_than_its_place(qtbot, shown, qapp):
    use_theme(qapp, scheme="light", scale=2.0)
    dialog, _ = shown(Desk(), "picture")
    dialog.parentWidget().resize(960, 640)
    for name in dialog.page_names:
        dialog.show_page(name)
        settle()
    areas = {area.widget(): area.viewport().width() for area in dialog.findChildren(QScrollArea)}
    too_wide = [name for name, page in dialog.pages.items() if page.minimumSizeHint().width() > areas[page]]
    assert too_wide == []


def test_the_companions_voice_is_chosen_by_keyboard(qtbot, shown):
    dialog, applied = shown(Desk(), "conversation")
    voice = dialog.pages["conversation"].companion_voice
    voice.setFocus()
    qtbot.keyClick(voice, Qt.Key.Key_Down)
    qtbot.keyClick(voice, Qt.Key.Key_Down)
    assert [settings.dialogue.companion_voice for settings in applied] == ["rms", "slt"]
    dialog.undo()
    assert voice.currentText() == "Automatic"


def test_two_words_of_manner_are_kept_the_newest_ones(qtbot, shown):
    dialog, applied = shown(Desk(), "picture", changed(STILL, "avatar", style="calm"))
    page = dialog.pages["picture"]
    assert [word for word, box in page.styles.items() if box.isChecked()] == ["calm"]
    page.styles["smiling"].click()
    page.styles["attentive"].click()
    page.styles["smiling"].click()
    assert [settings.avatar.style for settings in applied] == ["calm, smiling", "smiling, attentive", "attentive"]
    assert [word for word, box in page.styles.items() if box.isChecked()] == ["attentive"]


def test_the_portrait_takes_a_motion_over_when_the_slider_rests(qtbot, shown):
    dialog, applied = shown(Desk(), "picture")
    page = dialog.pages["picture"]
    for _ in range(3):
        qtbot.keyClick(page.motion, Qt.Key.Key_PageDown)
    assert applied == []
    dialog.accept()
    assert [settings.avatar.motion_amount for settings in applied] == [0.2]


def with_livetalk() -> Desk:
    presets = (
        PresetChoice("auto", "Automatic", "The best one."),
        PresetChoice("fast", "Fast · 9 GB", "Small decoder (TAEHV)."),
        PresetChoice("quality", "Quality · 11 GB", "Needs more memory than this GPU has.", possible=False),
    )
    card = dataclasses.replace(
        LIVETALK, selectable=True, needs="", presets=presets, motion="It decides by itself.", manners=1
    )
    return Desk(performers=lambda _: (PORTRAIT, card))


def test_a_preset_is_chosen_on_the_card_and_one_that_cannot_run_is_shown(qtbot, shown):
    dialog, applied = shown(with_livetalk(), "picture", changed(STILL, "avatar", performer="livetalk"))
    panel = dialog.pages["picture"].cards["livetalk"].presets
    assert panel.choices["auto"].isChecked()
    assert not panel.choices["quality"].isEnabled()
    assert panel.choices["fast"].accessibleDescription() == "Small decoder (TAEHV)."
    panel.choices["fast"].click()
    assert [settings.avatar.preset for settings in applied] == ["fast"]
    dialog.undo()
    assert panel.choices["auto"].isChecked()
    assert applied[-1].avatar.preset == "auto"
    assert dialog.pages["picture"].cards["portrait"].presets is None


def test_what_the_performer_in_use_does_not_follow_says_so_and_cannot_be_moved(qtbot, shown):
    settings = changed(STILL, "avatar", performer="livetalk", style="calm, smiling")
    dialog, applied = shown(with_livetalk(), "picture", settings)
    page = dialog.pages["picture"]
    assert not page.motion.isEnabled()
    assert (page.still.text(), page.motion.toolTip()) == ("It decides by itself.", "It decides by itself.")
    assert [word for word, box in page.styles.items() if box.isChecked()] == ["calm"], "it follows the first"
    page.styles["serious"].click()
    assert applied[-1].avatar.style == "serious"
    page.cards["portrait"].click()
    assert page.motion.isEnabled()
    assert page.still.isHidden()
    page.styles["calm"].click()
    assert applied[-1].avatar.style == "serious, calm"


@pytest.mark.parametrize(("page", "name"), [("conversation", "listen"), ("sound", "try_loudspeaker")])
def test_a_test_leaves_the_focus_on_its_button_and_runs_once(qtbot, shown, page, name):
    desk = Desk()
    dialog, _ = shown(desk, page)
    pressed = getattr(dialog.pages[page], name)
    pressed.setFocus()
    qtbot.keyClick(pressed, Qt.Key.Key_Space)
    qtbot.keyClick(pressed, Qt.Key.Key_Space)
    assert pressed.hasFocus()
    settle()
    assert len(desk.asked) == 1
    qtbot.keyClick(pressed, Qt.Key.Key_Space)
    settle()
    assert len(desk.asked) == 2
