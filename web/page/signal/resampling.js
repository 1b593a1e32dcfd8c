// Streaming sample-rate conversion by a windowed sinc: flat up to 91 % of the lower band, 120 dB attenuation above the band.

import { joined } from "./arrays.js";

const PASSBAND = 0.9136; // of half the lower rate; the response is that of soxr's "HQ", which the command uses
const REJECTION = 120; // dB

/**
 * Converts a stream of float32 blocks from one rate to another, without delay or drift.
 *
 * Sample 0 of the output has the time of sample 0 of the input, and the concatenated output does not depend on the sizes
 * of the blocks. n samples give `n * target / source`, rounded.
 */
export class Resampler {
  /** Rates in Hz, whole numbers. */
  constructor(source, target) {
    if (!Number.isInteger(source) || !Number.isInteger(target)) {
      throw new RangeError(`rates ${source} and ${target} are not whole numbers`);
    }
    const shared = divisor(source, target);
    this.up = target / shared;
    this.down = source / shared;
    if (this.up === this.down) return;
    const lower = Math.min(1, target / source); // band of the output, of the input's
    const transition = Math.PI * (1 - PASSBAND) * lower;
    this.reach = Math.ceil((REJECTION - 7.95) / (2.285 * transition) / 2); // input samples to either side
    this.phases = new Map();
    this.cutoff = ((1 + PASSBAND) / 2) * lower;
    this.kept = new Float32Array(this.reach); // zeros before the first sample
    this.first = -this.reach; // input sample that `kept` begins with
    this.taken = 0; // input samples in all
    this.next = 0; // output sample
  }

  /** Take a block; return the available output. */
  push(block) {
    if (this.up === this.down) return block;
    this.taken += block.length;
    return this.#convert(block, Math.floor(((this.taken - this.reach - 1) * this.up) / this.down) + 1);
  }

  /** End the stream; return the rest of the output. */
  flush() {
    if (this.up === this.down) return new Float32Array(0);
    const end = Math.round((this.taken * this.up) / this.down);
    return this.#convert(new Float32Array(this.reach + 1), end);
  }

  #convert(block, end) {
    const samples = joined([this.kept, block]);
    const out = new Float32Array(Math.max(0, end - this.next));
    for (let k = 0; k < out.length; k++) {
      const place = (this.next + k) * this.down; // in input samples, times `up`
      const whole = Math.floor(place / this.up);
      const taps = this.#taps(place - whole * this.up);
      const from = whole - this.reach + 1 - this.first;
      let sum = 0;
      for (let tap = 0; tap < taps.length; tap++) sum += taps[tap] * samples[from + tap];
      out[k] = sum;
    }
    this.next += out.length;
    const oldest = Math.floor((this.next * this.down) / this.up) - this.reach + 1;
    const dropped = Math.min(samples.length, Math.max(0, oldest - this.first));
    this.kept = samples.slice(dropped);
    this.first += dropped;
    return out;
  }

  /** Return the filter for an output sample that is `phase / up` after an input sample. */
  #taps(phase) {
    let taps = this.phases.get(phase);
    if (!taps) {
      const { reach, cutoff } = this;
      taps = Float32Array.from({ length: 2 * reach }, (_, tap) => {
        const distance = tap - reach + 1 - phase / this.up;
        return cutoff * sinc(cutoff * distance) * kaiser(distance / reach);
      });
      this.phases.set(phase, taps);
    }
    return taps;
  }
}

const BETA = 0.1102 * (REJECTION - 8.7); // Kaiser's formula for this rejection

function kaiser(place) {
  return Math.abs(place) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - place * place)) / bessel(BETA);
}

/** Return the modified Bessel function of the first kind and order zero, from its series. */
function bessel(value) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (value / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function sinc(value) {
  return value === 0 ? 1 : Math.sin(Math.PI * value) / (Math.PI * value);
}

function divisor(a, b) {
  return b === 0 ? a : divisor(b, a % b);
}
