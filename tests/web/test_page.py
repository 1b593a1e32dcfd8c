"""The page in a headless Chromium: what a visitor sees and hears."""

from __future__ import annotations

import http.server
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile as sf

from dss_cli import Separator
from dss_cli.audio.resampling import Resampler
from dss_cli.web.server import PageServer
from tests.helpers.pages import axe_violations, emulate, sdr, worker_seconds
from tools import web_page

pytestmark = pytest.mark.slow

EQUAL = 100.0  # dB between the page's stems and the command's
RESAMPLED = 40.0  # dB, where both converted the rate
EXAMPLES = web_page.ROOT / "examples"
MICROPHONE = "--use-fake-device-for-media-stream --use-file-for-fake-audio-capture={}"


@pytest.fixture(scope="module")
def separator():
    return Separator("lite", delegate="cpu", threads=1)


def elsewhere(page, address):
    """Requests that left the page's own address."""
    own = urlsplit(address).netloc
    return [url for url in page.requests() if urlsplit(url.removeprefix("blob:")).netloc != own]


def test_the_stems_are_those_of_the_command_and_the_browser_has_nothing_to_say(
    visit, server, separator, example
):
    here = visit("?threads=1")
    assert here.started() == "Runs on the processor, 1 thread."
    here.choose(example)
    here.finished()
    mixture, rate = sf.read(example, dtype="float32")
    expected = separator.separate(mixture, rate)
    near, _, path = here.download("near")
    assert path.name == "two_talkers.near.wav"
    assert sf.info(path).subtype == "PCM_24"
    assert sdr(near, expected.near) > EQUAL
    far, far_rate, _ = here.download("far")
    assert far_rate == rate
    assert sdr(far, expected.far) > EQUAL
    here.click(".player-end:nth-child(2)")
    assert sdr(here.download("heard")[0], near + far) > EQUAL
    assert here.complaints() == []
    assert elsewhere(here.page, server.address) == []


def test_threads_and_a_recording_given_up_change_no_sample(visit, separator, example):
    here = visit()
    assert "1 thread." not in here.started()
    here.click("[data-example='conversation.flac']")
    here.page.wait("document.getElementById('status').textContent.startsWith('Listening')")
    here.click("#stop")
    here.page.wait("document.getElementById('status').textContent.startsWith('Stopped: 0:00 of 0:40')")
    here.click("[data-example='conversation.flac']")
    here.page.wait("document.getElementById('status').textContent.startsWith('Listening')")
    here.choose(example)  # another recording takes the place of the one before
    here.finished()
    mixture, rate = sf.read(example, dtype="float32")
    assert sdr(here.download("far")[0], separator.separate(mixture, rate).far) > EQUAL


def test_a_recording_longer_than_what_is_listened_ahead_is_separated_as_by_the_command(
    visit, separator, tmp_path
):
    conversation, rate = sf.read(EXAMPLES / "conversation.flac", dtype="float32")
    mixture = np.concatenate((conversation, conversation))[: 70 * rate]
    sf.write(tmp_path / "long.wav", mixture, rate, subtype="FLOAT")
    here = visit()
    here.started()
    here.choose(tmp_path / "long.wav")
    here.finished(400)
    expected = separator.separate(mixture, rate)
    for name in ("near", "far"):
        assert sdr(here.download(name)[0], getattr(expected, name)) > EQUAL, name


@pytest.mark.parametrize(
    ("rate", "channels", "end"),
    [(8000, 1, "wav"), (44_100, 2, "wav"), (48_000, 1, "flac"), (44_100, 1, "ogg")],
)
def test_recordings_of_other_rates_come_back_at_theirs(
    visit, separator, example, tmp_path, rate, channels, end
):
    speech, inner = sf.read(example, dtype="float32", frames=4 * 16_000)
    converter = Resampler(inner, rate)
    mixture = np.concatenate((converter.push(speech[:, np.newaxis]), converter.flush()))[:, 0]
    columns = mixture[:, np.newaxis] * np.linspace(0.7, 0.9, channels, dtype=np.float32)
    path = tmp_path / f"recording.{end}"
    sf.write(path, columns, rate)
    here = visit()
    here.started()
    here.choose(path)
    here.finished()
    decoded = sf.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    expected = separator.separate(decoded, rate)
    for name in ("near", "far"):
        samples, found, _ = here.download(name)
        assert found == rate
        assert len(samples) == len(decoded)
        assert sdr(samples, getattr(expected, name)) > RESAMPLED, name
    assert ("channels were mixed to one" in here.text("notes")) == (channels > 1)


def test_stems_that_would_clip_are_scaled_by_one_gain_aloud(visit, example, tmp_path):
    mixture, rate = sf.read(example, dtype="float32", frames=4 * 16_000)
    sf.write(tmp_path / "loud.wav", mixture * (3 / np.abs(mixture).max()), rate, subtype="FLOAT")
    here = visit()
    here.started()
    here.choose(tmp_path / "loud.wav")
    here.finished()
    near, far, both = (here.download(stem)[0] for stem in ("near", "far", "heard"))
    assert max(np.abs(stem).max() for stem in (near, far, both)) == pytest.approx(1, abs=1e-3)
    assert sdr(near + far, both) > 90, "one gain for all three"
    assert "scaled by one gain" in here.text("notes")


def test_a_recording_of_the_microphone_is_separated(visit, example, tmp_path):
    speech, rate = sf.read(example, dtype="float32", frames=4 * 16_000)
    sf.write(tmp_path / "microphone.wav", speech, rate)
    switches = MICROPHONE.format(tmp_path / "microphone.wav") + " --use-fake-ui-for-media-stream"
    here = visit("", switches)
    here.started()
    here.page.run(
        "(devices => { const get = devices.getUserMedia;"
        " devices.getUserMedia = given => { window.asked = given; return get.call(devices, given); };"
        " })(navigator.mediaDevices)"
    )
    here.click("#record")
    here.page.wait("/0:0[2-9]/.test(document.getElementById('record').textContent)")
    here.click("#record")
    here.finished()
    off = dict.fromkeys(("echoCancellation", "noiseSuppression", "autoGainControl"), False)
    asked = here.page.run("window.asked")
    assert {name: asked["audio"][name] for name in off} == off
    both, _, path = here.download("heard")
    assert path.name.startswith("recording-")
    assert 1.5 < len(both) / sf.info(path).samplerate < 30
    assert np.abs(both).max() > 0.01
    assert here.complaints() == []


def test_the_page_opens_and_separates_offline_after_one_visit(visit, site, example):
    with PageServer(site, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = visit(address=server.address)
        here.started()
        kept = "caches.keys().then(k => caches.open(k[0])).then(c => c.match('examples/conversation.flac'))"
        here.page.wait(f"{kept}.then(found => Boolean(found))")
        server.shutdown()
    here.page.open("about:blank")
    here.page.open(server.address)
    here.started()
    here.click("[data-example='two_talkers.flac']")
    here.finished()
    assert here.page.run("crossOriginIsolated")


@pytest.fixture
def plain_host(site):
    """A static host that knows nothing of headers, with the page in a subfolder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(site.parent))

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{site.name}/"
        server.shutdown()


def test_on_a_plain_host_the_page_gives_itself_threads_and_can_send_nothing_elsewhere(
    visit, plain_host, server
):
    here = visit(address=plain_host)
    assert "thread" in here.started()
    here.page.wait("window.crossOriginIsolated")
    assert elsewhere(here.page, plain_host) == []
    assert here.complaints() == []
    send = f"fetch('{server.address}', {{mode: 'no-cors'}}).then(() => 'sent', () => 'refused')"
    assert here.page.run(send) == "refused"
    assert here.page.run(send, worker="/worker.js") == "refused"


def test_axe_finds_no_barrier_in_either_theme(visit, site, example):
    here = visit()
    here.started()
    here.choose(example)
    here.finished()
    here.page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    for theme in ("light", "dark"):
        emulate(here.page, theme)
        assert axe_violations(here.page) == [], theme


def test_a_phone_needs_no_sideways_scrolling_and_the_theme_is_the_systems(visit, example, tmp_path):
    here = visit()
    here.page.ask(
        "Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True
    )
    here.started()
    here.choose(example)
    here.finished()
    here.page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert here.page.run("document.documentElement.scrollWidth") <= 360
    colours = []
    for theme in ("light", "dark"):
        emulate(here.page, theme)
        here.screenshot(tmp_path / f"{theme}.png")
        colours.append(here.page.run("getComputedStyle(document.body).backgroundColor"))
    assert len(set(colours)) == 2


PLAYER = "document.querySelector('.player')"
POSITION = "Number(document.querySelector('.player-seek').value)"


def test_the_player_obeys_mouse_and_keyboard(visit, example):
    here = visit()
    here.started()
    here.choose(example)
    here.page.wait(f"{PLAYER}?.dataset.state === 'playing'")  # by itself, while it still separates
    here.finished()
    press = f"{PLAYER}.dispatchEvent(new KeyboardEvent('keydown', {{key: '%s', bubbles: true}}))"
    here.page.run(press % " ")
    assert here.page.run(f"{PLAYER}.dataset.state") == "paused"
    box = here.page.run(
        "(canvas => { canvas.scrollIntoView(); const {left, top, width} = canvas.getBoundingClientRect();"
        " return [left, top, width]; })(document.querySelector('.player canvas'))"
    )
    for kind in ("mousePressed", "mouseReleased"):
        here.page.ask(
            "Input.dispatchMouseEvent",
            type=kind,
            x=box[0] + box[2] / 2,
            y=box[1] + 20,
            button="left",
            clickCount=1,
        )
    assert here.page.wait(f"Math.abs({POSITION} - 5) < 0.1")
    here.page.run(press % "ArrowLeft")
    here.page.wait(f"Math.abs({POSITION}) < 0.1")
    heard = "document.querySelector('.player-heard').textContent"
    for key, words in (("n", "near only"), ("f", "far only"), ("b", "near and far"), ("r", "the recording")):
        here.page.run(press % key)
        assert here.page.run(heard) == words
    slider = "document.querySelector('.player-mixer input')"
    here.page.run(f"{slider}.value = -50; {slider}.dispatchEvent(new Event('input'))")
    assert here.page.run(heard) == "far 20 decibels quieter"
    here.page.run(press % " ")
    here.page.wait(f"{PLAYER}.dataset.state === 'playing' && {POSITION} > 0.3")


def test_sound_is_joined_without_a_seam_and_gains_change_without_a_click(visit):
    here = visit()
    script = """
    (async () => {
      const { Playback } = await import('/player/playback.js');
      const rate = 16000, length = 10 * rate;
      const context = new OfflineAudioContext(1, length, rate);
      const playback = new Playback(context, rate, length, ['near', 'far']);
      const tone = Float32Array.from({length}, (_, k) => 0.5 * Math.sin(k / 20));
      for (let at = 0; at < length; at += 36096) {
        playback.append('near', tone.slice(at, at + 36096));
        playback.append('far', new Float32Array(Math.min(36096, length - at)));
      }
      playback.play();
      context.suspend(2).then(() => { playback.setGains({near: 0.1}); context.resume(); });
      context.suspend(6).then(() => { playback.append('near', new Float32Array(0)); context.resume(); });
      const heard = (await context.startRendering()).getChannelData(0);
      playback.pause();
      let jump = 0;
      for (let k = 1; k < length; k++) jump = Math.max(jump, Math.abs(heard[k] - heard[k - 1]));
      const at = Math.round(0.05 * rate);
      let error = 0;
      for (let k = at; k < 1.9 * rate; k++) error = Math.max(error, Math.abs(heard[k] - tone[k - at]));
      let last = 0;
      for (let k = length - 1600; k < length; k++) last = Math.max(last, Math.abs(heard[k]));
      return {jump, error, last};
    })()
    """
    found = here.page.run(script)
    assert found["error"] < 1e-6, "block after block, to the sample"
    assert found["jump"] < 0.5 / 20 * 1.05, "nothing is steeper than the tone"
    assert found["last"] == pytest.approx(0.05, abs=1e-3)


def write_header_of(path, seconds, rate=16_000):
    """A WAV of 8 bits and that length, without the disk space."""
    sf.write(path, np.zeros(1, np.float32), rate, subtype="PCM_U8")
    head = bytearray(path.read_bytes()[:44])
    head[40:44] = (seconds * rate).to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(head)
        file.truncate(44 + seconds * rate)


def test_what_cannot_be_separated_is_one_clear_sentence_each(visit, tmp_path):
    av = pytest.importorskip("av", reason="the extra `formats` writes the video")
    (tmp_path / "notes.txt").write_text("no sound at all")
    (tmp_path / "empty.mp3").touch()
    write_header_of(tmp_path / "three-hours.wav", 3 * 3600)
    sf.write(tmp_path / "nothing.wav", np.zeros(0, np.float32), 16_000)
    sf.write(tmp_path / "broken.wav", np.full(1600, np.nan, np.float32), 16_000, subtype="FLOAT")
    with av.open(str(tmp_path / "silent.webm"), "w") as output:
        stream = output.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    here = visit()
    here.started()
    for name, sentence in {
        "notes.txt": "notes.txt is not a sound that this browser can decode: convert it to WAV.",
        "empty.mp3": "empty.mp3 is empty: choose another file.",
        "three-hours.wav": "three-hours.wav has a duration of 3:00:00; this page accepts 60 minutes; use"
        " the command `dss separate`, which accepts any length.",
        "nothing.wav": "nothing.wav contains no sound: choose another file.",
        "broken.wav": "The recording contains values that are not numbers: convert it to PCM.",
        "silent.webm": "silent.webm is a video without sound, or with sound that this browser cannot decode:"
        " convert it to WAV.",
    }.items():
        here.choose(tmp_path / name)
        here.page.wait(f"document.getElementById('alert').textContent.startsWith({sentence[:12]!r})")
        assert here.alert() == sentence
    drop = "document.dispatchEvent(new DragEvent('drop', {dataTransfer: given}))"
    for given, sentence in {
        "given.items.add(new File(['text'], 'dropped.txt'));": "dropped.txt is not a sound",
        "given.items.add('words', 'text/plain');": "The dropped object is not a file: drop a sound",
    }.items():
        here.page.run(f"(given => {{ {given} {drop} }})(new DataTransfer())")
        here.page.wait(f"document.getElementById('alert').textContent.startsWith({sentence!r})")
    assert here.complaints() == []


def test_a_refused_microphone_is_one_clear_sentence(visit):
    here = visit("", "--use-fake-device-for-media-stream --deny-permission-prompts")
    here.started()
    here.click("#record")
    assert here.refused().startswith("The microphone is not permitted: permit it")


def test_a_browser_without_wasm_simd_is_told_so(visit, server):
    here = visit("about:blank", address="")
    here.page.ask("Page.addScriptToEvaluateOnNewDocument", source="WebAssembly.validate = () => false")
    here.page.open(server.address)
    assert here.refused().startswith("This browser is too old: it lacks WebAssembly SIMD")


def test_a_damaged_model_is_one_clear_sentence(visit, site, tmp_path):
    shutil.copytree(site, tmp_path / "site")
    (tmp_path / "site" / "models" / "model.tflite").write_bytes(b"damaged")
    with PageServer(tmp_path / "site", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert visit(address=server.address).refused() == "The loaded model is damaged: reload the page."
        server.shutdown()


def test_a_full_storage_costs_the_offline_visit_alone(visit, server):
    here = visit("about:blank", address="")
    here.page.ask("Storage.overrideQuotaForOrigin", origin=server.address.rstrip("/"), quotaSize=2000)
    here.page.open(server.address)
    here.page.wait("!document.getElementById('storage').hidden")
    here.click("[data-example='two_talkers.flac']")
    here.finished()


def test_a_gpu_that_is_emulated_is_not_used(visit):
    here = visit("", "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader")
    assert here.started().startswith("Runs on the processor")


@pytest.mark.gpu
def test_a_gpu_gives_the_stems_of_the_command(visit, separator, example, tmp_path):
    here = visit("?accelerator=webgpu", "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader")
    if here.started(400) != "Runs on the GPU.":
        pytest.skip(f"no WebGPU here: {here.text('engine')}")
    mixture, rate = sf.read(example, dtype="float32", frames=4 * 16_000)
    sf.write(tmp_path / "short.wav", mixture, rate, subtype="FLOAT")
    here.choose(tmp_path / "short.wav")
    here.finished(400)
    assert sdr(here.download("near")[0], separator.separate(mixture, rate).near) > EQUAL


@pytest.mark.alone
@pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="no /proc: computing time is not told by thread"
)
def test_one_thread_takes_a_quarter_of_the_recording_and_sound_begins_within_two_seconds(visit):
    here = visit("?threads=1&accelerator=wasm")
    here.started()
    before = worker_seconds()
    here.click("[data-example='conversation.flac']")
    here.finished(400)
    assert (worker_seconds() - before) / 40 <= 0.25
    before = worker_seconds()
    here.click("[data-example='two_talkers.flac']")
    here.page.wait("document.getElementById('progress').dataset.first")
    assert worker_seconds() - before <= 2


def test_a_first_visit_loads_at_most_four_megabytes(site):
    assert web_page.visit(site) <= 4 * 2**20


def test_the_build_refuses_another_webassembly_than_the_pinned_one(site, tmp_path, monkeypatch):
    packages = tmp_path / "packages"
    shutil.copytree(web_page.PACKAGES, packages)
    monkeypatch.setattr(web_page, "PACKAGES", packages)
    (packages / "core" / "wasm" / "litert_wasm_internal.wasm").write_bytes(b"another")
    with pytest.raises(web_page.DssError, match=r"litert_wasm_internal\.wasm: sha256"):
        web_page.build(tmp_path / "site")
    assert not (tmp_path / "site").exists()
