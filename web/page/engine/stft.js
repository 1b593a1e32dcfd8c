// Streaming analysis and synthesis, and the power-law compression between them; as in dss_cli/separation/stft.py.
//
// A Float32Array contains consecutive frames, each as re, im, re, im, ... of window / 2 + 1 bins. Both windows are the
// square root of a periodic Hann window, so that synthesis after analysis returns the input.

import { joined } from "../signal/arrays.js";
import { RealFFT } from "../signal/fft.js";

const SMALLEST = 1.1754943508222875e-38; // below it, powers of a magnitude overflow: counted as zero

/** Number of floats of one frame. */
export function stride(signal) {
  return signal.window + 2;
}

function power(magnitude, exponent) {
  return magnitude >= SMALLEST ? magnitude ** exponent : 0;
}

/** Compress frames: `[frames, bins, 3]` of |X|^exponent, and re and im with that magnitude; no last bin. */
export function compress(frames, signal) {
  const { bins, exponent } = signal;
  const width = stride(signal);
  const count = frames.length / width;
  const out = new Float32Array(count * bins * 3);
  let to = 0;
  for (let frame = 0; frame < count; frame++) {
    for (let at = frame * width, end = at + 2 * bins; at < end; at += 2) {
      const magnitude = Math.hypot(frames[at], frames[at + 1]);
      const scale = power(magnitude, exponent - 1);
      out[to++] = power(magnitude, exponent);
      out[to++] = frames[at] * scale;
      out[to++] = frames[at + 1] * scale;
    }
  }
  return out;
}

/**
 * Undo `compress` from re and im alone, `[frames, bins, 2]`; return whole frames.
 *
 * The last bin, which is not an input of the network, is the mixture's, scaled like the neighbouring bin.
 */
export function decompress(compressed, mixture, signal) {
  const { bins, exponent } = signal;
  const width = stride(signal);
  const out = new Float32Array(mixture.length);
  let from = 0;
  for (let start = 0; start < out.length; start += width) {
    const last = start + 2 * bins;
    for (let at = start; at < last; at += 2, from += 2) {
      const re = compressed[from];
      const im = compressed[from + 1];
      const scale = power(Math.hypot(re, im), 1 / exponent - 1);
      out[at] = re * scale;
      out[at + 1] = im * scale;
    }
    const neighbour = Math.hypot(mixture[last - 2], mixture[last - 1]);
    const left = Math.hypot(out[last - 2], out[last - 1]);
    const share = neighbour > 0 ? Math.min(left / neighbour, 1) : 0;
    out[last] = mixture[last] * share;
    out[last + 1] = mixture[last + 1] * share;
  }
  return out;
}

/** Analysis in pieces of any size: samples in, frames out; frame k covers [k hop - (window - hop), k hop + hop). */
export class StreamingSTFT {
  constructor(signal) {
    this.signal = signal;
    this.fft = new RealFFT(signal.window);
    this.window = rootHann(signal.window);
    this.kept = new Float32Array(signal.window - signal.hop);
  }

  /** Take samples; return the complete frames. */
  push(samples) {
    const { window, hop } = this.signal;
    const all = joined([this.kept, samples]);
    const count = Math.max(0, Math.floor((all.length - window) / hop) + 1);
    const out = new Float32Array(count * stride(this.signal));
    const windowed = new Float32Array(window);
    for (let frame = 0; frame < count; frame++) {
      for (let k = 0; k < window; k++) windowed[k] = all[frame * hop + k] * this.window[k];
      this.fft.forward(windowed, out, frame * stride(this.signal));
    }
    this.kept = all.slice(count * hop);
    return out;
  }

  /** Return the remaining frames, padded with zeros. The last call. */
  flush() {
    const { window, hop } = this.signal;
    const held = this.kept.length - (window - hop);
    return this.push(new Float32Array(window - hop + ((hop - (held % hop)) % hop)));
  }
}

/** Synthesis, the inverse of `StreamingSTFT`: frames in, samples out. */
export class StreamingISTFT {
  constructor(signal) {
    this.signal = signal;
    this.fft = new RealFFT(signal.window);
    this.window = rootHann(signal.window).map((value) => (value * 2 * signal.hop) / signal.window);
    this.sums = new Float32Array(signal.window - signal.hop);
    this.padding = signal.window - signal.hop; // still to be dropped in front
    this.given = 0;
  }

  /** Take frames; return the samples that are complete. */
  push(frames) {
    const { window, hop } = this.signal;
    const count = frames.length / stride(this.signal);
    const sums = new Float32Array(count * hop + window - hop);
    sums.set(this.sums);
    const block = new Float32Array(window);
    for (let frame = 0; frame < count; frame++) {
      this.fft.inverse(frames, frame * stride(this.signal), block);
      for (let k = 0; k < window; k++) sums[frame * hop + k] += block[k] * this.window[k];
    }
    this.sums = sums.slice(count * hop);
    const dropped = Math.min(this.padding, count * hop);
    this.padding -= dropped;
    this.given += count * hop - dropped;
    return sums.slice(dropped, count * hop);
  }

  /** Take the last frames; return the remaining samples, up to a total of `length`. */
  flush(frames, length) {
    const given = this.given;
    return this.push(frames).slice(0, length - given);
  }
}

function rootHann(window) {
  return Float32Array.from({ length: window }, (_, k) => Math.sin((Math.PI * k) / window));
}
