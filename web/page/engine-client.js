// Client of the worker, for the page.

import { Problem } from "./problem.js";

/** Return true if WebAssembly has 128-bit SIMD: validates a module with one such instruction. */
export function hasSimd() {
  const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
  return typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(bytes));
}

/**
 * The engine in its worker.
 *
 * `ready` is a promise of the accelerator and the model's card: `{ used, why, threads, card }`.
 */
export class Engine {
  /** `accelerator`: "auto", "webgpu" or "wasm"; `threads`: null for the cores of the machine, at most 4. */
  constructor(accelerator = "auto", threads = null) {
    this.job = 0;
    this.encodings = new Map();
    this.ready = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.ready.catch(() => {}); // reported when a recording is separated
    if (!hasSimd()) {
      this.reject(new Problem("This browser is too old: it lacks WebAssembly SIMD, which the model requires; update the browser, or use another one."));
      return;
    }
    this.worker = new Worker(new URL("worker.js", import.meta.url));
    this.worker.onmessage = ({ data }) => this.#take(data);
    this.worker.onerror = () => this.reject(new Problem("The engine of the page could not be started: reload the page."));
    const most = Math.min(4, navigator.hardwareConcurrency || 1);
    this.worker.postMessage({ type: "load", accelerator, threads: threads ?? most });
  }

  /**
   * Separate a source. `give` has `mixture(samples)` and `stems(near, far)`.
   *
   * The promise becomes true at the end, and false if another recording replaces this one.
   */
  async separate(source, give, context = "recording") {
    this.cancel();
    const { job } = this;
    await this.ready;
    if (job !== this.job) return false;
    return new Promise((end, fail) => {
      this.running = { job, give, end, fail };
      this.worker.postMessage({ type: "separate", job, source, context }, source.samples ? [source.samples.buffer] : []);
    });
  }

  /** End the current separation. */
  cancel() {
    this.running?.end(false);
    this.running = null; // later messages of this job are ignored
    this.worker?.postMessage({ type: "cancel", job: ++this.job });
  }

  /** Return a promise of `{ blob, gain, clipped }`: the WAV file of near and far at `rate`, with these gains. */
  encode(near, far, rate, length, gains) {
    const id = this.encodings.size;
    return new Promise((resolve, reject) => {
      this.encodings.set(id, { resolve, reject });
      this.worker.postMessage({ type: "encode", id, near, far, rate, length, gains });
    });
  }

  #take(data) {
    const running = data.job === this.running?.job ? this.running : null;
    if (data.type === "ready") this.resolve(data);
    else if (data.type === "mixture") running?.give.mixture(data.samples);
    else if (data.type === "stems") running?.give.stems(data.near, data.far);
    else if (data.type === "done") running?.end(true);
    else if (data.type === "encoded") this.encodings.get(data.id).resolve(data);
    else if (data.type === "error") this.#fail(data, running);
  }

  #fail({ text, during, id }, running) {
    const problem = new Problem(text);
    if (during === "load") this.reject(problem);
    else if (during === "encode") this.encodings.get(id).reject(problem);
    else running?.fail(problem);
  }
}
