"""What can go wrong with an endpoint, in the person's words, and whether asking once more is worth it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import httpx2
import openai

from core.errors import Problem, ServerError

if TYPE_CHECKING:
    from core.dialogue.endpoint import Endpoint

SHORT_WAIT_S = 3.0
"""The longest that a busy endpoint is waited for without telling the person."""
_QUIET_WAITS_S = (1.0, 2.0)
_UNSTATED_WAIT_S = 4.0
"""What follows the quiet waits where a busy endpoint does not say when it will be free."""
_LET_COMPANION_ANSWER = "or let the built-in companion answer."
_ACCOUNT_CODES = ("arrearage", "accessdenied", "access_denied", "unpurchased")
_QUOTA_CODES = ("insufficient_quota", "exceeded your current quota")
_FILTER_CODES = ("data_inspection_failed", "datainspectionfailed", "content_filter")
_TOO_LONG = ("too large", "toolarge", "too long", "context length", "maximum context", "context window", "exceeds the")
_STATUS_OF_WORDS = (
    (("invalid_api_key", "invalidapikey", "unauthorized", "incorrect api key"), 401),
    (("rate_limit", "limit_requests", "throttling", "insufficient_quota", "exceeded your current quota"), 429),
    (("internal", "server_error", "unavailable", "overloaded", "resource_exhausted"), 500),
)
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
        refusal: the server's own words when it refused the request's form (400), for `without_refused`.
        filtered: the provider's content filter stopped the turn.
        too_long: less of the conversation may be accepted.
    """

    def __init__(
        self,
        error: ServerError,
        *,
        again_after_s: tuple[float, ...] = (),
        refusal: str = "",
        filtered: bool = False,
        too_long: bool = False,
    ) -> None:
        super().__init__(error.title)
        self.error = error
        self.again_after_s = again_after_s
        self.refusal = refusal
        self.filtered = filtered
        self.too_long = too_long


def silent(seconds: float, detail: str = "") -> ServerError:
    return ServerError(
        Problem.ENDPOINT_SILENT,
        f"The endpoint did not answer for {seconds:.0f} seconds.",
        f"Your last question is kept. Check the network, then try again, {_LET_COMPANION_ANSWER}",
        detail=detail,
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


def unreachable(detail: str) -> ServerError:
    return ServerError(
        Problem.ENDPOINT_UNREACHABLE,
        "The endpoint could not be reached.",
        "Your last question is kept. Check the network and the address in Settings, then try again, "
        + _LET_COMPANION_ANSWER,
        detail=detail,
        retry_after_s=5.0,
    )


def failing(detail: str) -> ServerError:
    return ServerError(
        Problem.ENDPOINT_UNREACHABLE,
        "The endpoint has trouble of its own and could not answer.",
        f"Your last question is kept. Try again in a moment, {_LET_COMPANION_ANSWER}",
        detail=detail,
        retry_after_s=5.0,
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
        code, header = f"{error.code or ''} {error.type or ''}", error.response.headers.get("retry-after", "")
        return of_status(error.status_code, code, _said(error, endpoint), header, endpoint, model)
    if isinstance(error, openai.APIConnectionError):
        known = error.__cause__ and error.__cause__.__cause__
        if isinstance(known, ServerError):
            return Setback(known)
        never_connected = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError)
        detail = type(error.__cause__ or error).__name__
        return Setback(unreachable(detail), again_after_s=() if never_connected else (0.0,))
    said = _said(error, endpoint)
    return of_words(str(error.code or ""), said)


def of_words(code: str, said: str) -> Setback:
    """What an error in the middle of a reply means, by its code and its words."""
    named = f"{code} {said}".lower()
    filtered = any(part in named for part in _FILTER_CODES)
    too_long = not filtered and any(words in named for words in _TOO_LONG)
    return Setback(failing(f"error in the reply: {said}"), again_after_s=(0.5,), filtered=filtered, too_long=too_long)


def of_refusal(code: str, said: str, endpoint: Endpoint, model: str) -> Setback:
    """What a refusal means that came as words alone, without a status: over a WebSocket."""
    named = f"{code} {said}".lower()
    status = next((status for words, status in _STATUS_OF_WORDS if any(word in named for word in words)), 400)
    return of_status(status, code, said, "", endpoint, model)


def of_status(status: int, code: str, said: str, retry_after: str, endpoint: Endpoint, model: str) -> Setback:
    """What an HTTP status means; `code` and `said` are the server's own, `retry_after` the header of that name."""
    named, detail = f"{code} {said}".lower(), f"HTTP {status}: {said}"
    if 300 <= status < 400:
        return Setback(points_elsewhere(detail))
    if status == 401:
        return Setback(key_refused(endpoint, f"HTTP {status}"))
    if status == 429:
        return _busy(named, detail, retry_after)
    if status >= 500:
        return Setback(failing(detail), again_after_s=(0.5,), refusal=said)
    return _of_named(status, named, said, detail, model)


def _of_named(status: int, named: str, said: str, detail: str, model: str) -> Setback:
    if any(code in named for code in _FILTER_CODES):
        return Setback(_refused("The endpoint's filter stopped this turn.", said, detail), filtered=True)
    if status == 403 or any(code in named for code in _ACCOUNT_CODES):
        return Setback(_refused("The endpoint does not let this account use the model.", said, detail))
    if status == 404:
        return Setback(_unknown_model(model, detail) if "model" in named else not_an_endpoint(detail))
    if status == 413 or any(words in named for words in _TOO_LONG):
        return Setback(_refused("The turn is too long for the endpoint.", said, detail), too_long=True)
    if "model" in named and ("not exist" in named or "not found" in named or "not supported" in named):
        return Setback(_unknown_model(model, detail), refusal=said)
    return Setback(_refused("The endpoint refused what it was asked.", said, detail), refusal=said)


def _busy(named: str, detail: str, retry_after: str) -> Setback:
    if any(code in named for code in _QUOTA_CODES):
        return Setback(
            ServerError(
                Problem.ENDPOINT_BUSY,
                "What your account may use of the endpoint is used up (429).",
                f"Check the account with its provider, {_LET_COMPANION_ANSWER}",
                detail=detail,
            )
        )
    stated = _retry_after_s(retry_after)
    wait_s = _UNSTATED_WAIT_S if stated is None else stated
    busy = ServerError(
        Problem.ENDPOINT_BUSY,
        "The endpoint is busy (429).",
        f"Trying again in {max(wait_s, 1):.0f} s.",
        detail=detail,
        retry_after_s=wait_s,
    )
    if stated is None:
        return Setback(busy, again_after_s=_QUIET_WAITS_S)
    return Setback(busy, again_after_s=(stated,) if stated <= SHORT_WAIT_S else ())


def _retry_after_s(header: str) -> float | None:
    try:
        return max(float(header), 0.0)
    except ValueError:
        return None


def _unknown_model(model: str, detail: str) -> ServerError:
    return ServerError(
        Problem.ENDPOINT_REFUSED,
        f'The endpoint does not know the model "{model}".',
        "Choose another model in Settings.",
        detail=detail,
    )


def _refused(title: str, said: str, detail: str) -> ServerError:
    quoted = f"It says: “{said}” " if said else ""
    return ServerError(
        Problem.ENDPOINT_REFUSED, title, f"{quoted}Check model, voice and account in Settings.", detail=detail
    )


def _said(error: openai.APIError, endpoint: Endpoint) -> str:
    """The server's own sentence. Lists that echo the request are left out."""
    body = cast("dict[str, object]", error.body) if isinstance(error.body, dict) else {}
    said = next((text for name in ("message", "detail") if isinstance(text := body.get(name), str)), "")
    return tidy(said, endpoint)


def tidy(said: str, endpoint: Endpoint) -> str:
    """What a server said, short and without the key."""
    if endpoint.key:
        said = said.replace(endpoint.key, "…")
    said = " ".join(said.split())
    return said if len(said) <= 200 else said[:199] + "…"
