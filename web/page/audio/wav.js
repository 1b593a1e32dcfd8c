// Reading of WAV files in blocks, at constant memory, and writing.

import { Problem } from "../problem.js";

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const READERS = {
  "1-8": (view, at) => (view.getUint8(at) - 128) / 128,
  "1-16": (view, at) => view.getInt16(at, true) / 32768,
  "1-24": (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8388608,
  "1-32": (view, at) => view.getInt32(at, true) / 2147483648,
  "3-32": (view, at) => view.getFloat32(at, true),
  "3-64": (view, at) => view.getFloat64(at, true),
};

/**
 * Read the head of a WAV file.
 *
 * Returns `{ rate, channels, frames, bytes, read, start }`, or null for other formats and for encodings that
 * the browser decodes.
 */
export async function wavHead(file) {
  const view = async (from, length) => new DataView(await file.slice(from, from + length).arrayBuffer());
  const first = await view(0, 12);
  if (first.byteLength < 12 || !["RIFF", "RF64"].includes(word(first, 0)) || word(first, 8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= file.size; ) {
    const head = await view(at, 48);
    const length = head.getUint32(4, true);
    if (word(head, 0) === "fmt " && head.byteLength >= 24) format = fields(head);
    if (word(head, 0) === "data") {
      if (!format?.read || !format.channels || !format.rate) return null;
      // Files that were written to a pipe state a length of 0, or with all bits set.
      const there = file.size - at - 8;
      const used = length === 0 || length > there ? there : length;
      return { ...format, start: at + 8, frames: Math.floor(used / (format.channels * format.bytes)) };
    }
    at += 8 + length + (length % 2);
  }
  return null;
}

function fields(head) {
  const bits = head.getUint16(22, true);
  let tag = head.getUint16(8, true);
  if (tag === EXTENSIBLE && head.byteLength >= 34) tag = head.getUint16(32, true);
  return {
    rate: head.getUint32(12, true),
    channels: head.getUint16(10, true),
    bytes: bits / 8,
    read: [PCM, FLOAT].includes(tag) ? READERS[`${tag}-${bits}`] : undefined,
  };
}

function word(view, at) {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 4));
}

/** Yield the samples of a WAV file in blocks of about `size` frames, mixed to one channel. */
export async function* wavBlocks(file, head, size) {
  const { channels, bytes, read, start, frames } = head;
  const width = channels * bytes;
  for (let from = 0; from < frames; from += size) {
    const count = Math.min(size, frames - from);
    const view = new DataView(await file.slice(start + from * width, start + (from + count) * width).arrayBuffer());
    const block = new Float32Array(count);
    for (let frame = 0; frame < count; frame++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += read(view, frame * width + channel * bytes);
      block[frame] = sum / channels;
    }
    if (!block.every(Number.isFinite)) throw new Problem("The recording contains values that are not numbers: convert it to PCM.");
    yield block;
  }
}

/** Writer of a mono WAV file of 24 bits, from blocks. */
export class WavWriter {
  constructor(rate) {
    this.rate = rate;
    this.parts = [];
    this.bytes = 0;
  }

  /** Append samples; values beyond full scale are clipped. */
  push(samples) {
    const data = new Uint8Array(samples.length * 3);
    for (let k = 0; k < samples.length; k++) {
      const value = Math.max(-8388608, Math.min(8388607, Math.round(samples[k] * 8388608)));
      data[3 * k] = value;
      data[3 * k + 1] = value >> 8;
      data[3 * k + 2] = value >> 16;
    }
    this.parts.push(data);
    this.bytes += data.length;
  }

  /** Return the file. */
  blob() {
    const head = new DataView(new ArrayBuffer(44));
    const write = (at, text) => [...text].forEach((letter, k) => head.setUint8(at + k, letter.charCodeAt(0)));
    write(0, "RIFF");
    head.setUint32(4, 36 + this.bytes + (this.bytes % 2), true);
    write(8, "WAVEfmt ");
    head.setUint32(16, 16, true);
    head.setUint16(20, PCM, true);
    head.setUint16(22, 1, true);
    head.setUint32(24, this.rate, true);
    head.setUint32(28, this.rate * 3, true);
    head.setUint16(32, 3, true);
    head.setUint16(34, 24, true);
    write(36, "data");
    head.setUint32(40, this.bytes, true);
    return new Blob([head, ...this.parts, new Uint8Array(this.bytes % 2)], { type: "audio/wav" });
  }
}
