"""The program made to expect LiveTalk-1.3B in miniature, from a hub on this computer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from app.setup import livetalk
from app.setup.hub import HubFile
from app.setup.livetalk import Piece

if TYPE_CHECKING:
    import pytest

    from core.performer.livetalk.files import Kind
    from tests.app.hub_server import Hub
    from tests.livetalk_files import Miniature

_REPOSITORIES = {
    "LiveTalk-1.3B-V0.1": "GAIR/LiveTalk-1.3B-V0.1",
    "Wan2.1-T2V-1.3B": "Wan-AI/Wan2.1-T2V-1.3B",
    "wav2vec2": "facebook/wav2vec2-base-960h",
}
_PIECES: dict[Kind, tuple[str, ...]] = {
    "transformer": ("LiveTalk-1.3B-V0.1/model.safetensors",),
    "vae": ("Wan2.1-T2V-1.3B/Wan2.1_VAE.pth",),
    "audio": ("wav2vec2/model.safetensors", "wav2vec2/config.json"),
    "tokenizer": (
        "Wan2.1-T2V-1.3B/google/umt5-xxl/tokenizer.json",
        "Wan2.1-T2V-1.3B/google/umt5-xxl/tokenizer_config.json",
    ),
    "text": ("Wan2.1-T2V-1.3B/models_t5_umt5-xxl-enc-bf16.pth",),
}


def expect(miniature: Miniature, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes and hashes are those of the miniature; only that of the transformer is known to nobody but the hub. The
    small decoder, which is not needed, is one that the hub does not have."""
    pieces = [_piece(miniature, kind, paths) for kind, paths in _PIECES.items()]
    decoder = Piece("small_decoder", "taehv", (HubFile("some/decoders", "taew2_1.pth", 0, "0" * 64),), needed=False)
    monkeypatch.setattr(livetalk, "PIECES", (*pieces, decoder))


def offer(miniature: Miniature, hub: Hub) -> None:
    """The hub has them."""
    for path, content in miniature.contents.items():
        folder, name = path.split("/", 1)
        hub.files[_REPOSITORIES[folder], name] = content


def _piece(miniature: Miniature, kind: Kind, paths: tuple[str, ...]) -> Piece:
    files = tuple(_file(path, miniature.contents[path], pinned=kind != "transformer") for path in paths)
    return Piece(kind, paths[0].split("/", 1)[0], files)


def _file(path: str, content: bytes, *, pinned: bool) -> HubFile:
    folder, name = path.split("/", 1)
    return HubFile(_REPOSITORIES[folder], name, len(content), hashlib.sha256(content).hexdigest() if pinned else "")
