"""`livetalk render`: a picture and a recording become a film, as fast as it goes."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from app.commands.choices import with_options
from app.commands.drawn_by import about_picture
from app.commands.films import refuse_unwritable
from core.offline import read_sound, render
from core.parts import make_performer, portrait, portrait_name
from core.settings import Settings

if TYPE_CHECKING:
    import argparse

    from app.commands.terminal import Terminal


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 0; trouble is raised."""
    avatar = with_options(Settings(), options).avatar
    refuse_unwritable(options.out)
    picture = portrait(avatar.portrait)
    terminal.say(f"Looking at {portrait_name(avatar.portrait)} …")
    performer = make_performer(avatar)
    for line in about_picture(performer.spec, avatar):
        terminal.say(line)
    identity = performer.prepare(picture)
    samples = read_sound(options.audio, performer.spec.sample_rate)
    report = render(
        performer,
        identity,
        samples,
        options.out,
        options.seed,
        time.perf_counter,
        lambda done, total: terminal.progress("Drawing", done, total),
    )
    terminal.say(
        f"{report.frames} frames at {report.fps} a second in {report.seconds:.1f} s "
        f"({report.real_time_factor:.2f} s a second of film), first frame after {report.first_frame_s:.2f} s, "
        f"{report.peak_rss_mb:.0f} MB"
    )
    terminal.say(f"Saved {options.out}")
    terminal.finish({**asdict(report), "variant": performer.spec.variant, "out": str(options.out)})
    return 0
