// Context of a recording: the network reads frames ahead of their separation; as in dss_cli/separation/listening.py.

import { joined } from "../signal/arrays.js";
import { compress, stride } from "./stft.js";

export const AHEAD_SECONDS = 45; // as the command

/** Number of chunks read before the first one is separated. */
export function chunksAhead(signal) {
  const chunk = (signal.frames * signal.hop) / signal.sample_rate;
  return Math.max(1, Math.round(AHEAD_SECONDS / chunk));
}

/** Queue of frames that the network reads ahead of their separation. */
export class Listener {
  /** `network` updates the state of the recording with every chunk. */
  constructor(network, state) {
    this.network = network;
    this.state = state;
    this.size = network.signal.frames * stride(network.signal); // floats of a chunk
    this.ahead = chunksAhead(network.signal);
    this.last = new Float32Array(0);
    this.fresh = [];
    this.count = 0; // floats in `fresh`
    this.held = [];
  }

  /** Take frames; yield those whose context is complete. */
  async *push(frames) {
    while (frames.length) {
      const taken = frames.subarray(0, this.size - this.count);
      frames = frames.subarray(taken.length);
      this.fresh.push(taken);
      this.count += taken.length;
      if (this.count < this.size) continue;
      this.last = this.#take();
      await this.#hear(this.last);
      this.held.push(this.last);
      if (this.held.length > this.ahead) yield this.held.shift();
    }
  }

  /** Read the last frames and return all frames of the queue. The last call. */
  async flush() {
    const rest = this.#take();
    if (rest.length) {
      const known = joined([this.last, rest]).slice(-this.size);
      const chunk = new Float32Array(this.size); // zeros behind a recording shorter than a chunk
      chunk.set(known);
      await this.#hear(chunk);
    }
    return joined([...this.held, rest]);
  }

  #take() {
    const frames = joined(this.fresh);
    this.fresh = [];
    this.count = 0;
    return frames;
  }

  async #hear(chunk) {
    await this.network.listen(compress(chunk, this.network.signal), this.state);
  }
}
