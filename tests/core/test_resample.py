"""Resampler: streaming equals offline, and a tone stays that tone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio.resample import Between, Resampler

RATES = [(24_000, 48_000), (24_000, 44_100), (48_000, 16_000), (44_100, 16_000), (16_000, 16_000)]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(RATES), st.lists(st.integers(0, 900), min_size=1, max_size=12), st.integers(0, 99))
def test_how_the_input_is_cut_changes_not_one_bit(rates: tuple[int, int], sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).normal(0, 0.2, sum(sizes)).astype(np.float32)
    streaming = Resampler(*rates)
    cuts = np.cumsum(sizes)[:-1]
    pieces = [streaming(piece) for piece in np.split(samples, cuts)]
    assert np.array_equal(np.concatenate(pieces), Resampler(*rates)(samples))


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_keeps_its_pitch_its_loudness_and_its_place(source: int, target: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(source) / source).astype(np.float32)
    made = Resampler(source, target)(tone)
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(made)) / target)
    assert np.abs(made - expected)[200:].max() < 1e-4
    assert target - len(made) <= target * 0.005


@pytest.mark.parametrize("source", [44_100, 48_000])
def test_what_is_too_high_for_the_new_rate_is_gone(source: int) -> None:
    tone = np.sin(2 * np.pi * 9500 * np.arange(source) / source).astype(np.float32)
    assert np.abs(Resampler(source, 16_000)(tone)[300:]).max() < 1e-3


def test_after_a_reset_it_is_like_new() -> None:
    samples = np.random.default_rng(0).normal(0, 0.2, 5000).astype(np.float32)
    used = Resampler(24_000, 44_100)
    first = used(samples)
    used.reset()
    assert np.array_equal(used(samples), first)


def test_between_samples_lies_the_curve_through_them() -> None:
    tone = np.sin(2 * np.pi * 3000 * np.arange(2000) / 16_000).astype(np.float32)
    where = np.linspace(100, 1900, 5000)
    assert np.abs(Between()(tone, where) - np.sin(2 * np.pi * 3000 * where / 16_000)).max() < 1e-3
    whole = np.arange(100, 1900)
    assert np.allclose(Between()(tone, whole.astype(float)), tone[whole], atol=1e-6)
