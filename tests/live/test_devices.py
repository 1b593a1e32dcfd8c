"""Devices with a fake PortAudio, for faults that no sound card shows on demand."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from dss_cli.__main__ import main
from dss_cli.cli.live_screen import WIDTH, bar, press, rows
from dss_cli.errors import DssError, UsageError
from dss_cli.live import devices
from dss_cli.live.devices import InputDevice, OutputDevice, find_device, list_devices, look_after
from dss_cli.live.session import LiveStatus


class FakePortAudio(types.SimpleNamespace):
    """Stand-in for the parts of sounddevice that `dss live` uses."""

    class PortAudioError(Exception):
        pass

    def __init__(self):
        super().__init__()
        self.default = types.SimpleNamespace(device=(0, 1))
        self.present = [
            {"name": "USB microphone", "in": 1, "out": 0},
            {"name": "Headphones", "in": 0, "out": 2},
            {"name": "Headset", "in": 1, "out": 2},
        ]
        self.refusal = None
        self.streams = []
        self.restarts = 0

    def query_hostapis(self):
        return [{"name": "Fake"}]

    def query_devices(self):
        return [
            {
                "name": d["name"],
                "hostapi": 0,
                "max_input_channels": d["in"],
                "max_output_channels": d["out"],
                "default_samplerate": 48_000.0,
            }
            for d in self.present
        ]

    def _stream(self, **options):
        if self.refusal:
            raise self.PortAudioError(f"Error opening stream: {self.refusal} [PaErrorCode -9985]")
        stream = types.SimpleNamespace(**options, start=lambda: None, abort=lambda: None, close=lambda: None)
        self.streams.append(stream)
        return stream

    InputStream = OutputStream = _stream

    def _terminate(self):
        self.restarts += 1

    def _initialize(self):
        pass


@pytest.fixture
def fake(monkeypatch):
    made = FakePortAudio()
    monkeypatch.setattr(devices, "portaudio", lambda: made)
    return made


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(devices.time, "monotonic", lambda: now[0])
    return now


def test_devices_are_found_by_number_name_part_or_default(fake):
    assert [d.default for d in list_devices()] == ["input", "output", ""]
    assert find_device(None, "input").name == "USB microphone"
    assert find_device("2", "input").name == "Headset"
    assert find_device("headph", "output").name == "Headphones"
    assert find_device("Headset", "output").number == 2


@pytest.mark.parametrize(
    ("asked", "role", "message"),
    [
        ("1", "input", "--input 1: no such input device; `dss live --list` shows"),
        ("radio", "output", "--output radio: no such output device"),
        ("head", "output", "several devices match: 1 Headphones .Fake., 2 Headset .Fake.; use the number"),
    ],
)
def test_devices_that_are_not_there_or_several_are_one_line(fake, asked, role, message):
    with pytest.raises(UsageError, match=message):
        find_device(asked, role)


def test_no_device_at_all_is_one_line(fake, capsys):
    fake.present, fake.default.device = [], (-1, -1)
    assert main(["live"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "dss: error: there is no input device; `dss live --list` shows the devices"
    ]
    assert main(["live", "--list"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 and "no sound device was found" in err


def test_a_missing_package_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["live", "--list"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "pip install 'dss-cli[live]'" in said[0]


@pytest.mark.parametrize("refusal", ["Device unavailable", "Invalid sample rate", "Permission denied"])
def test_a_device_that_is_refused_is_one_line_without_numbers(fake, refusal):
    fake.refusal = refusal
    with pytest.raises(DssError) as caught:
        InputDevice(None, None, print).open()
    assert str(caught.value) == f"input 'USB microphone': Error opening stream: {refusal}"


def test_callbacks_average_channels_clamp_and_count(fake):
    microphone, loudspeaker = InputDevice("2", None, print), OutputDevice(None, print)
    microphone._hear(np.array([[0.5], [1.0]], np.float32), 2, None, None)
    np.testing.assert_array_equal(microphone.queue.read(10), [0.5, 1.0])
    microphone._channels = 2
    microphone._hear(np.array([[0.5, 0.0]], np.float32), 1, None, types.SimpleNamespace(input_overflow=True))
    np.testing.assert_array_equal(microphone.queue.read(10), [0.25])
    assert microphone.lost == 1
    microphone._hear(np.zeros((200_000, 1), np.float32), 200_000, None, None)
    assert microphone.lost == 2, "more than the queue holds"
    block = np.ones((4, 2), np.float32)
    loudspeaker._play(block, 4, None, None)
    assert not block.any() and loudspeaker.starved == 0, "nothing has begun"
    loudspeaker.queue.write(np.array([0.5, 3.0], np.float32))
    loudspeaker._play(block, 4, None, None)
    np.testing.assert_array_equal(block[:, 1], [0.5, 1.0, 0.0, 0.0])
    loudspeaker._play(block, 4, None, None)
    assert loudspeaker.starved == 1 and not block.any()


def test_a_device_that_disappears_is_waited_for_and_said_once(fake, clock):
    said = []
    both = (InputDevice(None, None, said.append), OutputDevice(None, said.append))
    for device in both:
        device.open()
    look_after(both)
    assert (said, fake.restarts) == ([], 0)
    clock[0] += 3.0
    both[1]._play(np.zeros((1, 2), np.float32), 1, None, None)  # the loudspeaker still exists
    unplugged = fake.present.pop(0)
    fake.default.device = (-1, 0)
    look_after(both)
    assert said == ["input 'USB microphone' is lost; waiting for it"]
    for _ in range(3):
        clock[0] += 1.1
        both[1]._play(np.zeros((1, 2), np.float32), 1, None, None)
        look_after(both)
    assert len(said) == 1 and fake.restarts == 4
    fake.present.insert(0, unplugged)
    fake.default.device = (0, 1)
    clock[0] += 1.1
    look_after(both)
    assert said[1:] == ["input 'USB microphone' is back"]
    assert both[0].facts.number == 0 and not both[0].gone


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["live", "file.wav"], "file.wav: '-' stands for standard input; `dss separate` takes files"),
        (["live", "-", "--raw", "s16"], "--raw and --rate require each other"),
        (["live", "-", "--rate", "16000"], "--raw and --rate require each other"),
        (["live", "-", "--channels", "2"], "--channels requires --raw"),
        (["live", "--raw", "s16", "--rate", "16000"], "--raw requires standard input"),
        (["live", "-", "--input", "3"], "--input requires devices, not standard input"),
        (["live", "-", "--json"], "--json requires devices, not standard input"),
        (["live", "--virtual", "a/b"], "--virtual 'a/b': use only letters, digits"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_keys_choose_what_is_played():
    class Session:
        passthrough, kept = False, "near"

        def choose(self, keep):
            self.kept = keep

    session = Session()
    press(session, "f")
    assert session.kept == "far"
    press(session, "p")
    assert session.passthrough
    press(session, "b")
    assert session.kept == "both" and not session.passthrough
    press(session, "x")
    assert session.kept == "both"


def test_the_screen_shows_levels_load_and_what_was_lost():
    status = LiveStatus(3.0, "near", False, -12.0, -120.0, 0.25, 0.3, 2, 1, -40.0)
    near, far, facts, keys = rows(status)
    assert near.count("#") == round(WIDTH * 48 / 60) and "-12.0 dB" in near
    assert "silent" in far and "#" not in far
    for text in ("load  25 %", "300 ms", "playing near", "lost 2", "gaps 1", "-40 ppm"):
        assert text in facts
    assert "q quit" in keys
    assert bar(20.0) == "#" * WIDTH
