// The model in LiteRT.js: signatures and states have the names of the model's card.

import { Problem } from "../problem.js";

const SEPARATE = "separate";
const LISTEN = "listen";
const INPUT = "mixture";
const STEMS = ["near", "far"];
const AGREEMENT = 40; // dB between what the GPU and the CPU make of the same chunk

/** Compiled model with the interface for `StreamingSeparator`. All its temporary tensors are deleted. */
export class LiteRTNetwork {
  /** `litert`: the loaded module of LiteRT.js; `model`: result of its `loadAndCompile`; `card`: model card. */
  constructor(litert, model, card) {
    this.litert = litert;
    this.model = model;
    this.signal = card.signal;
    this.overlap = card.overlap;
    this.states = card.state ?? {};
    this.shape = [1, card.signal.frames, card.signal.bins, 3];
    const wanted = Object.keys(this.states).length ? [SEPARATE, LISTEN] : [SEPARATE];
    const missing = wanted.filter((name) => !(name in model.signatures));
    if (missing.length) throw new Problem(`The model of this page has no signature "${missing[0]}".`);
  }

  /** Return the state at the start of a recording; null for models without context. */
  begin() {
    const names = Object.keys(this.states);
    if (!names.length) return null;
    return Object.fromEntries(
      names.map((name) => {
        const shape = this.states[name];
        const zeros = new Float32Array(shape.reduce((product, length) => product * length, 1));
        return [name, new this.litert.Tensor(zeros, shape)];
      }),
    );
  }

  end(state) {
    for (const tensor of Object.values(state)) tensor.delete();
  }

  /** Update `state` with a chunk, without separating it. */
  async listen(chunk, state) {
    this.#advance(state, await this.#run(LISTEN, chunk, state));
  }

  /** Return near and far of one chunk in the context of `state`; `update`: add the chunk to the state. */
  async separate(chunk, state, update) {
    const within = state ?? this.begin() ?? {};
    const results = await this.#run(SEPARATE, chunk, within);
    const stems = [];
    for (const name of STEMS) {
      stems.push(await results[name].data());
      results[name].delete();
      delete results[name];
    }
    if (state && update) this.#advance(state, results);
    else for (const tensor of Object.values(results)) tensor.delete();
    if (!state) this.end(within);
    return stems;
  }

  async #run(signature, chunk, state) {
    const mixture = new this.litert.Tensor(chunk, this.shape);
    try {
      return await this.model.run(signature, { [INPUT]: mixture, ...state });
    } finally {
      mixture.delete();
    }
  }

  #advance(state, results) {
    for (const name of Object.keys(state)) {
      state[name].delete();
      state[name] = results[name];
    }
  }
}

/**
 * Compile the model for the accelerator of this browser.
 *
 * `asked`: "auto" (a hardware GPU that agrees with the CPU and is faster, else the CPU), "webgpu" or "wasm".
 * Returns `{ network, used, why }`; `why` is the reason against an existing GPU, or empty.
 */
export async function compile(litert, bytes, card, asked, threads) {
  const build = async (accelerator) => {
    const options = { accelerator, gpuOptions: { precision: "fp32" }, cpuOptions: { numThreads: threads } };
    return new LiteRTNetwork(litert, await litert.loadAndCompile(bytes, options), card);
  };
  const device = asked === "wasm" ? null : litert.getWebGpuDevice();
  const software = device?.adapterInfo?.isFallbackAdapter === true;
  if (!device || (software && asked !== "webgpu")) {
    return { network: await build("wasm"), used: "wasm", why: software ? "the GPU is emulated in software" : "" };
  }
  const onCpu = await build("wasm");
  let onGpu;
  let why;
  try {
    onGpu = await build("webgpu");
    why = onGpu.model.isFullyAccelerated ? await compare(onGpu, onCpu, asked) : "the GPU cannot run the whole model";
  } catch (error) {
    why = `the GPU failed: ${error.message ?? error}`;
  }
  const [kept, dropped] = why ? [onCpu, onGpu] : [onGpu, onCpu];
  dropped?.model.delete();
  return { network: kept, used: why ? "wasm" : "webgpu", why };
}

/** Run one chunk on both; return the reason against the GPU, or an empty string. */
async function compare(onGpu, onCpu, asked) {
  const size = onCpu.shape.reduce((product, length) => product * length, 1);
  const chunk = Float32Array.from({ length: size }, (_, k) => 0.3 * Math.sin(k * k));
  await onGpu.separate(chunk, null, false); // the first run compiles the GPU's programs
  const [gpu, gpuTime] = await timed(() => onGpu.separate(chunk, null, false));
  const [cpu, cpuTime] = await timed(() => onCpu.separate(chunk, null, false));
  const agreement = Math.min(...gpu.map((stem, k) => decibels(stem, cpu[k])));
  if (!(agreement >= AGREEMENT)) return "the results of the GPU differ from those of the CPU";
  return asked === "auto" && gpuTime > cpuTime ? "the GPU is slower than the CPU" : "";
}

async function timed(work) {
  const start = performance.now();
  return [await work(), performance.now() - start];
}

function decibels(estimate, reference) {
  let power = 0;
  let error = 0;
  for (let k = 0; k < reference.length; k++) {
    power += reference[k] ** 2;
    error += (estimate[k] - reference[k]) ** 2;
  }
  return 10 * Math.log10(power / (error + 1e-30));
}
