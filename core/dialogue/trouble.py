"""What can go wrong with an endpoint, in the person's words, and whether asking once more is worth it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, cast

import httpx2
import openai

from core.errors import Problem, ServerError

if TYPE_CHECKING:
    from core.dialogue.endpoint import Endpoint

_SHORT_WAIT_S = 3.0
"""The longest that a busy endpoint is waited for without telling the person."""
_LONGEST_COUNTDOWN_S = 60.0
"""The longest that a question waits to be asked again by itself: nobody expects an answer after more."""
_QUIET_WAITS_S = (1.0, 2.0)
_UNSTATED_WAIT_S = 4.0
"""What follows the quiet waits where a busy endpoint does not say when it will be free."""
_LET_COMPANION_ANSWER = "or let the built-in companion answer."
_ACCOUNT_CODES = ("arrearage", "accessdenied", "access_denied", "unpurchased")
_QUOTA_CODES = ("insufficient_quota", "exceeded your current quota")
_FILTER_CODES = ("data_inspection_failed", "datainspectionfailed", "content_filter")
_TOO_LONG = (
    "too large",
    "toolarge",
    "too long",
    "context length",
    "maximum context",
    "context window",
    "exceeds the",
    "input length",
    "longer than the model",
)
_STATUS_OF_WORDS = (
    (_FILTER_CODES, 400),
    (_ACCOUNT_CODES, 403),
    (("invalid_api_key", "invalidapikey", "unauthorized", "incorrect api key"), 401),
    (("rate_limit", "ratelimit", "limit_requests", "throttling", *_QUOTA_CODES), 429),
    (_TOO_LONG, 400),
)
_FAILING = ("internal", "server_error", "servererror", "unavailable", "overloaded", "resource_exhausted")
_A_CODE = re.compile(r"[\w.-]{1,60}")
_REGIONS = (
    ("dashscope-intl.", "Singapore"),
    (".ap-southeast-1.", "Singapore"),
    ("dashscope-us.", "Virginia"),
    (".cn-beijing.", "Beijing"),
    ("dashscope.", "Beijing"),
)


class Setback(Exception):
    """An attempt failed.

    Args:
        error: what to tell the person if this is the end of it.
        again_after_s: pauses, in seconds, after which one more attempt is worthwhile each, as long as nothing of the
            reply was heard; none when the same request would fail the same way.
        refusal: the server's own words when it refused the request's form (400), for `without_refused`; and when it
            `broke_down` (500), as some servers do over a form that they do not know.
        filtered: the provider's content filter stopped the turn.
        too_long: less of the conversation may be accepted.
    """

    def __init__(
        self,
        error: ServerError,
        *,
        again_after_s: tuple[float, ...] = (),
        refusal: str = "",
        broke_down: bool = False,
        filtered: bool = False,
        too_long: bool = False,
    ) -> None:
        super().__init__(error.title)
        self.error = error
        self.again_after_s = again_after_s
        self.refusal = refusal
        self.broke_down = broke_down
        self.filtered = filtered
        self.too_long = too_long


def silent(seconds: float, *, loading: bool = False) -> ServerError:
    """`loading`: it may have been busy with its model, which the next question finds there."""
    network = "It may still be loading its model: wait a moment" if loading else "Check the network"
    return ServerError(
        Problem.ENDPOINT_SILENT,
        f"The endpoint did not answer for {seconds:.0f} seconds.",
        f"Your last question is kept. {network}, then try again, {_LET_COMPANION_ANSWER}",
        retry_after_s=0.0,
    )


def broken_off(detail: str) -> ServerError:
    return ServerError(
        Problem.ANSWER_CUT,
        "The answer broke off half-way.",
        "What was said is in the conversation.",
        detail=detail,
        retry_after_s=0.0,
    )


def unreachable(detail: str, *, connected: bool = False) -> ServerError:
    """`connected`: it was there, and the same request was made twice."""
    return ServerError(
        Problem.ENDPOINT_UNREACHABLE,
        "The endpoint could not be reached.",
        "Your last question is kept. Check the network and the address in Settings, then try again, "
        + _LET_COMPANION_ANSWER,
        detail=detail,
        retry_after_s=0.0 if connected else 5.0,
    )


def failing(detail: str, said: str = "") -> ServerError:
    return ServerError(
        Problem.ENDPOINT_UNREACHABLE,
        "The endpoint has trouble of its own and could not answer.",
        f"{_quoted(said)}Your last question is kept. Try again in a moment, {_LET_COMPANION_ANSWER}",
        detail=detail,
        retry_after_s=0.0,
    )


def not_an_endpoint(detail: str) -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED,
        "What is at this address does not answer as a Qwen3-Omni endpoint.",
        "Check the address in Settings; it usually ends in /v1.",
        detail=detail,
    )


def points_elsewhere(detail: str) -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED,
        "What is at this address points to another one.",
        "Nothing was sent there. If you trust it, enter that address in Settings.",
        detail=detail,
    )


def no_model() -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED, "No model is chosen, and the endpoint names none.", "Choose a model in Settings."
    )


def unknown_voice(voice: str) -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED,
        f'The endpoint does not know the voice "{voice}".',
        "It speaks in its own. Choose another voice in Settings.",
    )


def unknown_kind(key: str) -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED,
        f'There is no kind of endpoint called "{key}".',
        "Choose one in Settings, or describe yours in endpoints.toml.",
    )


def cannot_hear() -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED,
        "The endpoint takes words only, and there is nothing here to write down speech.",
        "Run `make models`, or name a speech-to-text service in Settings. Until then, type.",
    )


def hears_english_only() -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED,
        "This computer writes down English only, and the endpoint takes words only.",
        "Name a speech-to-text service in Settings. Until then, type.",
    )


def speech_only() -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED,
        "This live endpoint takes speech only.",
        "Speak to it. To type, use its address with http:// in place of ws:// in Settings.",
    )


def key_refused(endpoint: Endpoint, detail: str) -> ServerError:
    if not endpoint.key:
        return ServerError(Problem.KEY_REFUSED, "The endpoint asks for a key.", "Enter it in Settings.", detail=detail)
    advice = "Check it in Settings."
    if endpoint.host.endswith("aliyuncs.com"):
        region = next((name for part, name in _REGIONS if part in endpoint.base_url), "one region")
        advice += f" This address belongs to {region}, and a key of Alibaba Model Studio works in its own region only."
    return ServerError(Problem.KEY_REFUSED, "The endpoint did not accept the key.", advice, detail=detail)


def of_failure(error: openai.APIError, endpoint: Endpoint, model: str) -> Setback:
    """What a failure that the SDK raised means, before or in the middle of a reply."""
    if isinstance(error, openai.APIStatusError):
        said, header = _said(error, endpoint), error.response.headers.get("retry-after", "")
        return of_status(error.status_code, codes(error.code, error.type), said, header, endpoint, model, error.param)
    if isinstance(error, openai.APIConnectionError):
        known = error.__cause__ and error.__cause__.__cause__
        if isinstance(known, ServerError):
            return Setback(known)
        never_connected = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError)
        detail = type(error.__cause__ or error).__name__
        error_told = unreachable(detail, connected=not never_connected)
        return Setback(error_told, again_after_s=() if never_connected else (0.0,))
    return of_words(codes(error.code, error.type), _said(error, endpoint), endpoint, model)


def of_words(code: str, said: str, endpoint: Endpoint, model: str) -> Setback:
    """What an error in the middle of a reply means, by its code and its words."""
    return of_status(_status_of(code, said, 500), code, said, "", endpoint, model)


def of_refusal(code: str, said: str, endpoint: Endpoint, model: str) -> Setback:
    """What a refusal means that came without a status: over a WebSocket, or in the body of an answer that is said to
    be well (200)."""
    return of_status(_status_of(code, said, 400), code, said, "", endpoint, model)


def of_body(body: object, endpoint: Endpoint, model: str) -> Setback:
    """What a whole JSON value means where a stream of events was asked for."""
    told = cast("dict[str, object]", body) if isinstance(body, dict) else {}
    inner = told.get("error", told)
    error = cast("dict[str, object]", inner) if isinstance(inner, dict) else {"message": inner}
    said = tidy(_message_of(error), endpoint)
    if not said and "error" not in told:
        return Setback(not_an_endpoint("JSON and no stream"))
    return of_refusal(codes(error.get("code"), error.get("type")), said, endpoint, model)


def of_status(
    status: int, code: str, said: str, retry_after: str, endpoint: Endpoint, model: str, param: str | None = None
) -> Setback:
    """What an HTTP status means; `code` and `said` are the server's own, `retry_after` the header of that name, `param`
    the field it names."""
    named, detail = f"{code} {said}".lower(), f"HTTP {status} {code}".strip()
    if 300 <= status < 400:
        return Setback(points_elsewhere(detail))
    if status == 401:
        return Setback(key_refused(endpoint, detail))
    if status == 429:
        return _busy(named, said, detail, retry_after)
    if status == 408:
        return Setback(failing(detail, said), again_after_s=(0.5,))
    refusal = f"{param}: {said}" if param else said
    if status >= 500:
        return Setback(failing(detail, said), again_after_s=(0.5,), refusal=refusal, broke_down=True)
    return _of_named(status, named, said, refusal, detail, model)


def _status_of(code: str, said: str, unknown: int) -> int:
    """The status that an error without one would have had."""
    named = f"{code} {said}".lower()
    known = next((status for words, status in _STATUS_OF_WORDS if any(word in named for word in words)), 0)
    stated = next((int(part) for part in code.split() if part.isdecimal() and 400 <= int(part) < 600), 0)
    return known or stated or (500 if any(word in named for word in _FAILING) else unknown)


def _of_named(status: int, named: str, said: str, refusal: str, detail: str, model: str) -> Setback:
    if any(code in named for code in _FILTER_CODES):
        return Setback(_refused("The endpoint's filter stopped this turn.", said, detail), filtered=True)
    if status in (402, 403) or any(code in named for code in _ACCOUNT_CODES):
        return Setback(_refused("The endpoint does not let this account use the model.", said, detail))
    if status == 404:
        return Setback(_unknown_model(model, detail) if "model" in named else not_an_endpoint(detail))
    if status == 413 or any(words in named for words in _TOO_LONG):
        return Setback(_refused("The turn is too long for the endpoint.", said, detail), too_long=True)
    if "model" in named and ("not exist" in named or "not found" in named or "not supported" in named):
        return Setback(_unknown_model(model, detail), refusal=refusal)
    return Setback(_refused("The endpoint refused what it was asked.", said, detail), refusal=refusal)


def _busy(named: str, said: str, detail: str, retry_after: str) -> Setback:
    if any(code in named for code in _QUOTA_CODES):
        return Setback(
            ServerError(
                Problem.ENDPOINT_BUSY,
                "What your account may use of the endpoint is used up (429).",
                f"{_quoted(said)}Check the account with its provider, {_LET_COMPANION_ANSWER}",
                detail=detail,
            )
        )
    stated = _retry_after_s(retry_after)
    wait_s = _UNSTATED_WAIT_S if stated is None else stated
    if wait_s > _LONGEST_COUNTDOWN_S:
        return Setback(_busy_for_long(wait_s, detail))
    busy = ServerError(
        Problem.ENDPOINT_BUSY,
        "The endpoint is busy (429).",
        f"Trying again in {max(wait_s, 1):.0f} s.",
        detail=detail,
        retry_after_s=wait_s,
    )
    if stated is None:
        return Setback(busy, again_after_s=_QUIET_WAITS_S)
    return Setback(busy, again_after_s=(stated,) if stated <= _SHORT_WAIT_S else ())


def _busy_for_long(wait_s: float, detail: str) -> ServerError:
    minutes = math.ceil(wait_s / 60)
    told = f"{minutes} minutes" if minutes <= 90 else f"{math.ceil(wait_s / 3600)} hours"
    return ServerError(
        Problem.ENDPOINT_BUSY,
        "The endpoint is busy (429).",
        f"It asks to wait for {told}. Your last question is kept: try again then, {_LET_COMPANION_ANSWER}",
        detail=detail,
    )


def _retry_after_s(header: str) -> float | None:
    try:
        seconds = float(header)
    except ValueError:
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _unknown_model(model: str, detail: str) -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED,
        f'The endpoint does not know the model "{model}".',
        "Choose another model in Settings.",
        detail=detail,
    )


def _refused(title: str, said: str, detail: str) -> ServerError:
    advice = f"{_quoted(said)}Check model, voice and account in Settings."
    return ServerError(Problem.ENDPOINT_REFUSED, title, advice, detail=detail)


def _quoted(said: str) -> str:
    return f"It says: “{said}” " if said else ""


def _said(error: openai.APIError, endpoint: Endpoint) -> str:
    """The server's own sentence. Lists that echo the request are left out."""
    body = cast("dict[str, object]", error.body) if isinstance(error.body, dict) else {}
    return tidy(_message_of(body), endpoint)


def _message_of(body: dict[str, object]) -> str:
    said = next((text for name in ("message", "detail") if isinstance(text := body.get(name), str)), "")
    return said or _of_fields(body.get("detail"))


def _of_fields(faults: object) -> str:
    """What FastAPI says of single fields: which and why, without the input that it repeats."""
    found = cast("list[object]", faults) if isinstance(faults, list) else []
    told = [cast("dict[str, object]", fault) for fault in found if isinstance(fault, dict)]
    places = [cast("list[object]", where) if isinstance(where := fault.get("loc"), list) else [] for fault in told]
    return "; ".join(
        f"{'.'.join(str(part) for part in place)}: {fault.get('msg') or ''}"
        for place, fault in zip(places, told, strict=True)
    )


def codes(*named: object) -> str:
    """What a server calls an error, without anything that could be a sentence: such may repeat what it was sent."""
    return " ".join(str(code) for code in named if code is not None and _A_CODE.fullmatch(str(code)))


def tidy(said: str, endpoint: Endpoint) -> str:
    """What a server said, short and without the key."""
    if endpoint.key:
        said = said.replace(endpoint.key, "…")
    said = " ".join(said.split())
    return said if len(said) <= 200 else said[:199] + "…"
