"""`LiveSeparator`: equal lengths and a constant delay for all rates, frames and types."""

from __future__ import annotations

import numpy as np
import pytest

from dss_cli.errors import DssError, UsageError
from dss_cli.live import LiveSeparator
from dss_cli.live.interpolation import Interpolator
from tests.helpers.live import LATENCY, Sharing, tone
from tests.helpers.stub import Recorder


def live(rate=16_000, **options):
    return LiveSeparator(Sharing(), rate, latency=LATENCY, **options)


def pushed(separator, samples, size):
    return np.concatenate([separator.push(samples[i : i + size]) for i in range(0, len(samples), size)])


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("milliseconds", [10, 20, 30])
def test_as_many_samples_come_back_a_fixed_delay_behind(rate, milliseconds):
    separator = live(rate)
    samples = tone(rate)
    back = pushed(separator, samples, rate * milliseconds // 1000)
    assert back.shape == samples.shape and back.dtype == np.float32
    delay = separator.delay
    np.testing.assert_array_equal(back[: delay - rate // 50], 0)
    settled = slice(rate // 10, len(samples) - delay)
    np.testing.assert_allclose(back[delay:][settled], 0.75 * samples[settled], atol=2e-3)


@pytest.mark.parametrize("rate", [11_025, 16_000, 44_100, 48_000])
def test_frames_of_any_size_never_come_back_short(rate):
    separator, sizes = live(rate), np.random.default_rng(0).integers(0, rate // 20, 100)
    for size in [1, 1, 2, 3, *sizes]:
        assert len(separator.push(np.ones(size, np.float32))) == size


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_delay_is_what_is_needed_and_hardly_more(rate):
    """The output starts with `delay` samples of silence; a delay shorter by 1 ms would be too short."""
    separator = live(rate)
    least = separator.delay
    for _ in range(rate // 4):
        separator.push(np.ones(1, np.float32))
        least = min(least, len(separator._ready[0]))
    assert 0 <= least <= rate / 1000
    assert separator.latency == pytest.approx(separator.delay / rate)
    assert separator.latency - LATENCY < 0.005, "the conversion of rates costs milliseconds"


def test_the_size_of_the_frames_changes_nothing():
    samples = tone(48_000) + tone(48_000, hertz=3000)
    first, second = (pushed(live(48_000), samples, size) for size in (480, 1111))
    np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_a_frame_comes_back_in_its_own_type(dtype):
    samples = tone(16_000)
    scale = 1.0 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max
    separator = live()
    back = pushed(separator, (samples * scale).astype(dtype), 160)
    assert back.dtype == dtype
    expected = 0.75 * samples[: -separator.delay]
    np.testing.assert_allclose(back[separator.delay :] / scale, expected, atol=1e-3)


def test_loud_integers_are_clipped_not_wrapped():
    class Louder(Sharing):
        def separate(self, mixture):
            return np.float32(2.0**0.3) * mixture[..., 1:], mixture[..., 1:]

    separator = LiveSeparator(Louder(), latency=LATENCY)
    loud = (32_000 * np.sign(tone(16_000))).astype(np.int16)
    back = pushed(separator, loud, 160)
    assert np.all(np.sign(back[separator.delay :])[20:60] == np.sign(loud[20:60]))
    assert back.max() == 32_767


def test_several_channels_are_averaged_and_come_back_alike():
    samples = np.stack([tone(16_000), np.zeros(16_000, np.float32)], axis=1)
    separator = live()
    back = pushed(separator, samples, 320)
    assert back.shape == samples.shape
    np.testing.assert_array_equal(back[:, 0], back[:, 1])
    np.testing.assert_allclose(back[separator.delay :, 0], 0.375 * samples[: -separator.delay, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("keep", "balance", "gain"),
    [
        ("near", 0.0, 0.75),
        ("far", 0.0, 0.125),
        ("both", 0.0, 0.875),
        ("both", -20.0, 0.75 + 0.0125),
        ("both", 20.0, 0.075 + 0.125),
    ],
)
def test_what_is_kept_is_near_far_or_both_in_a_balance(keep, balance, gain):
    samples, separator = tone(16_000), live(keep=keep, balance=balance)
    back = pushed(separator, samples, 160)
    np.testing.assert_allclose(back[separator.delay :], gain * samples[: -separator.delay], atol=1e-5)


def test_another_choice_fades_in_without_a_click():
    separator = live()
    samples = np.full(16_000, 0.5, np.float32)
    first = pushed(separator, samples, 160)
    separator.keep = "far"
    second = pushed(separator, samples, 160)
    joined = np.concatenate((first, second))[-17_000:]
    assert np.abs(np.diff(joined)).max() < 0.002
    np.testing.assert_allclose(joined[0], 0.375, atol=1e-3)
    np.testing.assert_allclose(joined[-4000], 0.0625, atol=1e-3)


def test_flush_returns_what_was_on_its_way_and_begins_anew():
    separator, samples = live(), tone(16_000)
    first = np.concatenate((pushed(separator, samples, 160), separator.flush()))
    np.testing.assert_allclose(first[separator.delay :], 0.75 * samples, atol=1e-5)
    again = np.concatenate((pushed(separator, samples, 160), separator.flush()))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("rate", [0, 4000, 400_000, 16_000.5, "16000"])
def test_other_rates_are_refused(rate):
    with pytest.raises(UsageError, match=r"rate .* lies outside 8000 to 384000 Hz"):
        live(rate)


def test_a_latency_that_the_model_does_not_offer_is_refused():
    with pytest.raises(UsageError, match=r"latency 0\.01: the model offers"):
        LiveSeparator(Sharing(), latency=0.01)
    with pytest.raises(UsageError, match="the model offers only"):
        LiveSeparator(Recorder(), latency=0.01)


@pytest.mark.parametrize(
    "frame",
    [[0.0, 1.0], np.zeros((2, 2, 2), np.float32), np.zeros(4, np.uint8), np.zeros((4, 0), np.float32)],
    ids=["list", "three dimensions", "uint8", "no channels"],
)
def test_other_frames_are_refused(frame):
    with pytest.raises(UsageError, match="a frame"):
        live().push(frame)


def test_frames_that_are_not_finite_are_refused():
    with pytest.raises(DssError, match="NaN or infinite"):
        live().push(np.array([0.0, np.nan], np.float32))


def test_unknown_talkers_and_balances_are_refused():
    with pytest.raises(UsageError, match="keep 'all': choose one of near, far, both"):
        live(keep="all")
    separator = live()
    with pytest.raises(UsageError, match="balance"):
        separator.balance = float("nan")
    assert (separator.keep, separator.balance) == ("near", 0.0)


@pytest.mark.parametrize(("source", "target"), [(48_000, 16_000), (16_000, 48_000), (44_100, 16_000)])
def test_interpolation_is_exact_in_the_band_and_silent_beyond_it(source, target):
    top = min(source, target)
    time = np.arange(target // 2) / target
    for hertz in (100.0, 1000.0, 0.4 * top):
        interpolator = Interpolator(source, target)
        found = interpolator.push(tone(source, 0.6, hertz))[: len(time)]
        expected = 0.5 * np.sin(2 * np.pi * hertz * time)
        inner = slice(target // 50, -target // 50)
        error = np.linalg.norm((found - expected)[inner]) / np.linalg.norm(expected[inner])
        assert 20 * np.log10(error) < -70, hertz
    if source > target:
        beyond = Interpolator(source, target).push(tone(source, 0.6, 0.6 * target))
        assert np.abs(beyond[target // 50 : -target // 50]).max() < 0.5 * 10 ** (-70 / 20)


def test_a_ratio_that_changes_keeps_the_instants():
    """A second at 1000 ppm more gives 16 samples more, and a tone that is lower by this factor."""
    interpolator = Interpolator(16_000, 16_000)
    samples = tone(16_000, 2.0)
    found = np.concatenate([interpolator.push(block, 1 / 1.001) for block in np.array_split(samples, 200)])
    assert len(found) == pytest.approx(32_000 * 1.001 - 24 * 1.001, abs=2)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(found)) / 16_016)
    np.testing.assert_allclose(found[200:-200], expected[200:-200], atol=1e-4)
