// Separation of one recording of any rate, with stems at the same rate.

import { WavWriter } from "../audio/wav.js";
import { peak } from "../signal/arrays.js";
import { Resampler } from "../signal/resampling.js";
import { StreamingSeparator } from "./streaming.js";

const FULL_SCALE = 1 - 2 ** -15; // the largest positive sample of 16 bits, as the command has it
const PIECE = 160_000; // samples that are converted at once

/**
 * Separate the blocks of a recording.
 *
 * `give.mixture(samples)` receives the recording at the network's rate, `give.stems(near, far)` the available samples of
 * the stems at the same rate. `pause` is awaited after each block and each piece, so that a worker can receive messages.
 */
export async function separateBlocks(network, blocks, rate, context, give, pause) {
  const inner = network.signal.sample_rate;
  const down = new Resampler(rate, inner);
  // As in the command: zeros after the end replace samples lost by rounding, and the chunks begin at the same frames.
  const padding = rate === inner ? 0 : 2 * (Math.floor(rate / inner) + 1);
  const separator = new StreamingSeparator(network, { context });
  const work = async (samples) => {
    give.mixture(samples);
    for await (const [near, far] of separator.push(samples)) {
      give.stems(near, far);
      await pause();
    }
  };
  try {
    for await (const block of blocks) {
      await work(down.push(block));
      await pause();
    }
    await work(down.push(new Float32Array(padding)));
    await work(down.flush());
    for await (const [near, far] of separator.flush()) {
      give.stems(near, far);
      await pause();
    }
  } finally {
    separator.close();
  }
}

/**
 * Make a WAV file of stems at the recording's rate.
 *
 * If near, far or their sum would clip, all files of a recording are scaled by one gain.
 *
 * `stems`: near and far at `inner` Hz; `length`: of the recording, in samples of `rate`; `gains`: of near and far.
 * Returns `{ blob, gain, clipped }`.
 */
export async function encode(stems, inner, rate, length, gains, pause) {
  let largest = 0;
  let clipped = 0;
  for await (const [near, far] of upsampled(stems, inner, rate, length, pause)) {
    const both = near.map((value, k) => value + far[k]);
    largest = Math.max(largest, peak(near), peak(far), peak(both));
    for (const stem of [near, far]) clipped += stem.reduce((count, value) => count + (Math.abs(value) > 1), 0);
  }
  const gain = largest > 1 ? FULL_SCALE / largest : 1;
  const writer = new WavWriter(rate);
  for await (const [near, far] of upsampled(stems, inner, rate, length, pause)) {
    writer.push(near.map((value, k) => gain * (gains.near * value + gains.far * far[k])));
  }
  return { blob: writer.blob(), gain, clipped };
}

async function* upsampled(stems, inner, rate, length, pause) {
  const converters = stems.map(() => new Resampler(inner, rate));
  let left = length;
  for (let at = 0; left > 0; at += PIECE) {
    const ended = at >= stems[0].length;
    const ready = converters.map((one, k) => (ended ? one.flush() : one.push(stems[k].subarray(at, at + PIECE))));
    const count = Math.min(left, ready[0].length);
    yield ready.map((samples) => samples.subarray(0, count));
    left -= count;
    await pause();
    if (ended) return;
  }
}
