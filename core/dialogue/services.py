"""Speech services: ears and a voice for a model that reads and writes, over the calls of OpenAI's audio interface.

Where an endpoint has no such call, or a service fails, this computer's own recogniser and voice serve in its place.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from core.dialogue.client import NoList, check_key, list_models, open_client
from core.dialogue.ears import Ears
from core.dialogue.endpoint import Endpoint
from core.dialogue.phrases import ENGLISH, language_of
from core.dialogue.request import wav_of
from core.dialogue.trouble import Setback, cannot_hear, failing, hears_english_only, not_an_endpoint, of_failure, silent
from core.dialogue.wire import PcmDecoder, Sound, UnreadableReply, believable_rate
from core.errors import LiveTalkError, Problem, ServerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from core.dialogue.client import Patience
    from core.media import AudioChunk, Samples

log = logging.getLogger(__name__)
_NO_SUCH_CALL = {404, 405, 501}
_MEANT = {401, 402, 403, 408, 429}
"""Refusals that are about the account or the moment; any other by the endpoint itself is about the call."""
_EARS = ("whisper", "transcribe", "asr", "stt", "sensevoice", "parakeet")
_VOICES = ("tts", "kokoro", "speech", "voice", "chatterbox", "orpheus")
_KIND = "speech service"
REST_S = 60.0
"""A service that failed is not asked for so long, where this computer can serve."""
_WRITES_HERE = "This computer writes down what you say in its place: English only. Check the service in Settings."
_SPEAKS_HERE = "This computer’s voice speaks in its place: English only. Check the service in Settings."
_SHOWS = "Answers are shown in writing. Check the service in Settings."
_FRAGMENT_BYTES = 9_600
"""A fifth of a second: small enough to begin soon, large enough not to be all overhead."""


@dataclass(frozen=True)
class Service:
    """Where one of the calls goes. With `url` empty it is the endpoint itself; `key` is never printed."""

    url: str = ""
    model: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Local:
    """What this computer can do by itself; None is nothing. Both block and are called beside the loop."""

    transcribe: Callable[[AudioChunk], str] | None = None
    say: Callable[[str], tuple[Samples, int]] | None = None
    """Samples and their rate; no samples where there is no sound for the words."""


@dataclass(frozen=True)
class Services:
    ears: Service = Service()
    voice: Service = Service()


class Speech:
    """Ears and voice of one conversation. Lives on the loop, whose `close` it needs.

    A service that has no such call is not asked again; one that failed is left alone for a while, and the person is
    told once until it is well again.
    """

    def __init__(self, endpoint: Endpoint, services: Services, local: Local, patience: Patience) -> None:
        self._local = local
        self.here = Ears(local.transcribe)
        """This computer's own ears."""
        ears = _Remote(endpoint, services.ears, patience, _EARS, "whisper-1")
        voice = _Remote(endpoint, services.voice, patience, _VOICES, "tts-1")
        self._ears: _Remote | None = ears
        self._voice: _Remote | None = voice
        self._remotes = (ears, voice)
        self._voice_name = endpoint.voice
        self._notices: list[ServerError] = []
        self.spoke = False
        """Whether anything was said by this voice."""

    @property
    def speaks_here(self) -> bool:
        """Whether the voice is this computer's."""
        return (self._voice is None or self._voice.resting) and self._local.say is not None

    @property
    def hears_here(self) -> bool:
        """Whether the ears are this computer's, as far as is known; they are English."""
        return self._ears is None or self._ears.resting

    @property
    def deafness(self) -> Setback:
        """Why only the ears of this computer are left, for who needs others."""
        failed = self._ears.failed if self._ears is not None else None
        return Setback(failed if failed is not None else hears_english_only())

    def notice(self) -> ServerError | None:
        """What the person should know of a service that failed, once."""
        return self._notices.pop() if self._notices else None

    async def hear(self, speech: AudioChunk, *, english: bool = True) -> str:
        """The words of `speech`, empty where there are none; in another language than `english` not by this computer
        in the place of a service.

        Raises:
            Setback: the service failed, or nobody here can hear.
        """
        ears = self._ears
        if ears is not None and not (ears.resting and english):
            try:
                words = await ears.transcribe(speech)
            except _NoSuchCall:
                log.info("the endpoint writes down no speech: this computer does")
                self._ears = None
            except Setback as setback:
                if not (self.here.able and english):
                    raise
                self._leave(ears, setback, _WRITES_HERE)
            else:
                ears.failed = None
                return words
        if not self.here.able:
            raise Setback(cannot_hear())
        try:
            return await self.here.hear(speech)
        except LiveTalkError as error:
            hopeless = cannot_hear()
            raise Setback(ServerError(hopeless.problem, hopeless.title, hopeless.advice, detail=error.title)) from error

    async def say(self, sentence: str) -> AsyncIterator[Sound]:
        """The sound of `sentence` as it comes; nothing where there is no voice for it: this computer's is English. What
        was said of it by a voice that failed is not said again."""
        voice = self._voice
        if voice is not None and not voice.resting:
            begun = False
            try:
                async for sound in voice.speak(sentence, self._voice_name):
                    begun = self.spoke = True
                    yield sound
            except _NoSuchCall:
                log.info("the endpoint has no voice: this computer's speaks")
                self._voice = None
            except Setback as setback:
                self._leave(voice, setback, _SPEAKS_HERE if self._local.say else _SHOWS)
                if begun:
                    return
            else:
                voice.failed = None
                return
        async for sound in self.say_here(sentence):
            yield sound

    async def aside(self, sentence: str, *, speaks: bool) -> list[Sound]:
        """All of the sound of a sentence that is no part of what the model wrote, none where there is no voice for it.
        Nobody is told of a service that fails at it. `speaks`: the endpoint speaks by itself, and is then asked for
        nothing but its answers."""
        voice = self._voice
        if voice is not None and not voice.resting and (voice.elsewhere or not speaks):
            try:
                sounds = [sound async for sound in voice.speak(sentence, self._voice_name)]
            except _NoSuchCall:
                self._voice = None
            except Setback as setback:
                log.info("a speech service fails at an aside: %s", setback.error.problem.value)
            else:
                voice.failed = None
                self.spoke |= bool(sounds)
                return sounds
        return [sound async for sound in self.say_here(sentence)]

    async def say_here(self, sentence: str) -> AsyncIterator[Sound]:
        """The sound of `sentence` in this computer's voice; nothing where it has none for it."""
        if self._local.say is not None and language_of(sentence) in ("", ENGLISH):
            samples, rate = await asyncio.get_running_loop().run_in_executor(None, self._local.say, sentence)
            if samples.size:
                self.spoke = True
                yield Sound(samples, rate)

    def _leave(self, remote: _Remote, setback: Setback, instead: str) -> None:
        """Leave a service alone for a while; the person is told the first time."""
        log.info("a speech service fails: %s", setback.error.problem.value)
        if remote.failed is None:
            lasting = setback.error.problem is Problem.KEY_REFUSED
            self._notices.append(
                ServerError(
                    Problem.KEY_REFUSED if lasting else Problem.ENDPOINT_REFUSED,
                    setback.error.title.replace("The endpoint ", "The endpoint’s speech service "),
                    instead,
                    detail=setback.error.detail,
                )
            )
        remote.fail(setback.error)

    async def close(self) -> None:
        for remote in self._remotes:
            await remote.close()
        await self.here.close()


def _raw_form(headers: Mapping[str, str]) -> tuple[int | None, int]:
    """Rate, None where none is stated that can be believed, and channels of raw PCM, as servers write them beside it
    (SGLang-Omni).

    Raises:
        UnreadableReply: it is not of 16 bits.
    """
    rate, channels, bits = (headers.get(f"x-{name}", "") for name in ("sample-rate", "channels", "bit-depth"))
    if bits not in ("", "16"):
        raise UnreadableReply(f"raw sound of {bits[:8]} bit")
    return believable_rate(_number(rate)), _number(channels) or 1


def _number(text: str) -> int:
    """0 where `text` is none, or one longer than anything that is counted here."""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


class _NoSuchCall(Exception):
    """The server has no such call."""


class _Remote:
    """One service: its connection, and the model to ask there. Lives on the loop."""

    def __init__(
        self, endpoint: Endpoint, service: Service, patience: Patience, likely: tuple[str, ...], usual: str
    ) -> None:
        key = service.key if service.url else endpoint.key
        self.elsewhere = bool(service.url)
        """Whether it is another than the endpoint itself."""
        self._endpoint = Endpoint(service.url or endpoint.base_url, service.model, key)
        self._model = service.model
        self._patience = patience
        self._likely = likely
        self._usual = usual
        self._client: openai.AsyncOpenAI | None = None
        self._failed_at = 0.0
        self.failed: ServerError | None = None
        """Why it did not serve when it was asked last; None when it did."""

    @property
    def resting(self) -> bool:
        """Whether it failed only just now."""
        return self.failed is not None and asyncio.get_running_loop().time() - self._failed_at < REST_S

    def fail(self, error: ServerError) -> None:
        self.failed, self._failed_at = error, asyncio.get_running_loop().time()

    async def transcribe(self, speech: AudioChunk) -> str:
        client = self._connected()
        try:
            async with asyncio.timeout(self._patience.first_s):
                heard = await client.audio.transcriptions.create(
                    file=("turn.wav", wav_of(speech), "audio/wav"),
                    model=await self._model_of(client),
                    response_format="json",
                )
        except TimeoutError as error:
            raise self._told(Setback(silent(self._patience.first_s), again_after_s=(0.0,))) from error
        except openai.APIError as error:
            raise self._failure(error) from error
        text = getattr(heard, "text", None)
        if not isinstance(text, str):  # some servers answer every call with 200 and their opinion of it
            raise _NoSuchCall
        return text.strip()

    async def speak(self, sentence: str, voice: str) -> AsyncIterator[Sound]:
        client, decoder = self._connected(), PcmDecoder()
        try:
            asked: Any = client.audio.speech.with_streaming_response.create(
                model=await self._model_of(client),
                voice=voice or "alloy",
                input=sentence,
                response_format="pcm",
                timeout=self._patience.first_s,
            )
            async with asked as answer:
                kind, rate, channels = answer.headers.get("content-type", ""), *_raw_form(answer.headers)
                if "json" in kind or "html" in kind or "event-stream" in kind:
                    raise _NoSuchCall
                async for data in answer.iter_bytes(_FRAGMENT_BYTES):
                    sound = decoder.feed(data, rate, channels)
                    if sound.samples.size:
                        yield sound
        except openai.APIError as error:
            raise self._failure(error) from error
        except httpx2.HTTPError as error:
            raise self._told(Setback(failing(type(error).__name__), again_after_s=(0.0,))) from error
        except UnreadableReply as error:
            raise self._told(Setback(not_an_endpoint(str(error)))) from error

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    def _connected(self) -> openai.AsyncOpenAI:
        """The connection.

        Raises:
            Setback: the key cannot be one.
        """
        if self._client is None:
            try:
                check_key(self._endpoint)
            except Setback as setback:
                self._told(setback)
                raise
            self._client = open_client(self._endpoint, self._patience)
        return self._client

    async def _model_of(self, client: openai.AsyncOpenAI) -> str:
        if not self._model:
            try:
                listed = await list_models(client, self._endpoint, self._patience)
            except NoList:
                listed = {}
            fitting = (name for name in listed if any(part in name.lower() for part in self._likely))
            self._model = next(fitting, self._usual)
        return self._model

    def _failure(self, error: openai.APIError) -> Exception:
        if isinstance(error, openai.APIStatusError):
            status = error.status_code
            refused = not self.elsewhere and 400 <= status < 500 and status not in _MEANT
            if refused or status in _NO_SUCH_CALL:
                return _NoSuchCall()
        return self._told(of_failure(error, self._endpoint, self._model))

    def _told(self, setback: Setback) -> Setback:
        """`setback` in words that name the service, where it is not the endpoint itself."""
        error = setback.error
        if self.elsewhere:
            title = error.title.replace("The endpoint", "The speech service").replace("Qwen3-Omni endpoint", _KIND)
            setback.error = ServerError(
                error.problem, title, error.advice, detail=error.detail, retry_after_s=error.retry_after_s
            )
        return setback
