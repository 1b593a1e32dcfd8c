// Streaming engine: samples in, near and far samples out; as in dss_cli/separation/streaming.py.
//
// The network separates chunks of `signal.frames` STFT frames. Consecutive chunks share frames, in which a crossfade with
// raised-cosine weights joins their estimates, in the linear STFT domain.

import { joined } from "../signal/arrays.js";
import { Listener } from "./listening.js";
import { StreamingISTFT, StreamingSTFT, compress, decompress, stride } from "./stft.js";

/**
 * Separates one channel at the network's sample rate, piece by piece, in constant memory.
 *
 * `network` has `signal` and `overlap` of its card, `begin()` (returns the initial state of a recording, null without
 * context), `listen(chunk, state)` (updates the state), `separate(chunk, state, update)` (returns near and far of a
 * chunk; `update`: also updates the state) and `end(state)`.
 */
export class StreamingSeparator {
  /** `context`: "recording" (reads ahead), "past", or "none". */
  constructor(network, { overlap = network.overlap, context = "recording" } = {}) {
    const { signal } = network;
    this.network = network;
    this.signal = signal;
    this.stride = stride(signal);
    this.state = context === "none" ? null : network.begin();
    this.context = this.state === null ? "none" : context;
    this.listener = this.context === "recording" ? new Listener(network, this.state) : null;
    this.shared = Math.floor(signal.frames * overlap);
    this.every = Math.max(1, Math.floor(signal.frames / (signal.frames - this.shared))); // chunks per update of the state
    this.chunks = 0;
    this.fade = fadeIn(this.shared);
    this.analysis = new StreamingSTFT(signal);
    this.syntheses = [new StreamingISTFT(signal), new StreamingISTFT(signal)];
    this.covered = new Float32Array(signal.frames * this.stride); // the last chunk, zeros before the first
    this.waiting = []; // frames that came after it
    this.fresh = 0; // how many
    this.tail = null; // near and far of the shared frames, to be faded into the next chunk
    this.length = 0;
  }

  /** Take samples; yield the available [near, far]. */
  async *push(samples) {
    this.length += samples.length;
    for await (const frames of this.#due(this.analysis.push(samples))) {
      for await (const stems of this.#separate(frames)) yield this.#synthesise(stems);
    }
  }

  /** Yield the rest, so that input and output have equal lengths. The last call. */
  async *flush() {
    if (this.length === 0) return;
    for await (const frames of this.#due(this.analysis.flush())) {
      for await (const stems of this.#separate(frames)) yield this.#synthesise(stems);
    }
    if (this.listener) {
      for await (const stems of this.#separate(await this.listener.flush())) yield this.#synthesise(stems);
    }
    const rest = [[], []];
    if (this.fresh) (await this.#lastChunk()).forEach((stem, k) => rest[k].push(stem));
    if (this.tail) this.tail.forEach((stem, k) => rest[k].push(stem));
    yield this.syntheses.map((one, k) => one.flush(joined(rest[k]), this.length));
  }

  /** Release the network's state of the recording. */
  close() {
    if (this.state !== null) this.network.end(this.state);
    this.state = null;
  }

  /** Yield the frames that can be separated, in pieces with the same context. */
  async *#due(frames) {
    if (this.listener) yield* this.listener.push(frames);
    else yield frames;
  }

  /** Take frames; yield complete frames of both stems. */
  async *#separate(frames) {
    while (frames.length) {
      const wanted = this.tail === null ? this.signal.frames : this.signal.frames - this.shared;
      const taken = frames.subarray(0, (wanted - this.fresh) * this.stride);
      frames = frames.subarray(taken.length);
      this.waiting.push(taken);
      this.fresh += taken.length / this.stride;
      if (this.fresh === wanted) yield this.#faded(await this.#estimates(this.#recent()));
    }
  }

  /** Separate a last incomplete chunk together with earlier frames, or padded with zeros. */
  async #lastChunk() {
    if (this.tail) return this.#faded(await this.#estimates(this.#recent()));
    const recent = this.#recent();
    const held = recent.subarray(recent.length - this.fresh * this.stride);
    const padded = new Float32Array(recent.length);
    padded.set(held);
    const estimates = await this.#estimates(padded);
    return this.#faded(estimates.map((stem) => stem.subarray(0, held.length)));
  }

  /** Return the newest frames, as many as in a chunk. */
  #recent() {
    this.covered = joined([this.covered, ...this.waiting]).slice(-this.signal.frames * this.stride);
    this.waiting = [];
    return this.covered;
  }

  /** Crossfade the estimates of the newest frames with the previous chunk; keep the frames shared with the next one. */
  #faded(estimates) {
    if (this.tail) {
      const newest = (this.fresh + this.shared) * this.stride;
      estimates = estimates.map((stem, k) => this.#crossfade(this.tail[k], stem.slice(stem.length - newest)));
    }
    this.fresh = 0;
    const finished = Math.max(0, estimates[0].length - this.shared * this.stride);
    this.tail = estimates.map((stem) => stem.slice(finished));
    return estimates.map((stem) => stem.slice(0, finished));
  }

  #crossfade(tail, stem) {
    for (let frame = 0; frame < this.shared; frame++) {
      for (let k = frame * this.stride, end = k + this.stride; k < end; k++) {
        stem[k] = tail[k] + this.fade[frame] * (stem[k] - tail[k]);
      }
    }
    return stem;
  }

  /** Run the network on one chunk of frames; return near and far frames. */
  async #estimates(mixture) {
    const chunk = compress(mixture, this.signal);
    // The state of a queue that reads ahead contains this chunk; chunks with half overlap update the state only once.
    const update = this.listener === null && this.chunks++ % this.every === 0;
    const outputs = await this.network.separate(chunk, this.state, update);
    return outputs.map((output) => {
      const stem = decompress(output, mixture, this.signal);
      if (!stem.every(Number.isFinite)) throw new Error("the model returned values that are not finite");
      return stem;
    });
  }

  #synthesise(stems) {
    return this.syntheses.map((one, k) => one.push(stems[k]));
  }
}

function fadeIn(shared) {
  return Float32Array.from({ length: shared }, (_, k) => 0.5 - 0.5 * Math.cos((Math.PI * (k + 0.5)) / shared));
}
