// Runs the page's engine on what tests/web/test_engine.py has put into a folder, and leaves there what comes out.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const [page, folder] = process.argv.slice(2);
const load = (name) => import(join(page, name));
const { joined } = await load("signal/arrays.js");
const { Resampler } = await load("signal/resampling.js");
const { StreamingISTFT, StreamingSTFT, compress, decompress } = await load("engine/stft.js");
const { StreamingSeparator } = await load("engine/streaming.js");

const floats = async (name) => new Float32Array(new Uint8Array(await readFile(join(folder, name))).buffer);
const leave = (name, values) => writeFile(join(folder, name), new Uint8Array(values.buffer, values.byteOffset, values.byteLength));

/** Cut samples into pieces of these lengths, again and again. */
function* pieces(samples, lengths) {
  for (let at = 0, k = 0; at < samples.length; k++) {
    const end = at + lengths[k % lengths.length];
    yield samples.subarray(at, end);
    at = end;
  }
}

/** The network of the same name in the test: depends on the whole chunk and on what was heard before. */
class Pupil {
  constructor({ signal, overlap, context }) {
    Object.assign(this, { signal, overlap, context });
    this.calls = [];
  }

  begin() {
    return this.context ? { level: 0 } : null;
  }

  end(state) {
    state.ended = true;
  }

  async listen(chunk, state) {
    this.calls.push("listen");
    let sum = 0;
    for (let k = 0; k < chunk.length; k += 3) sum += chunk[k];
    state.level = 0.75 * state.level + 0.25 * (sum / (chunk.length / 3));
  }

  async separate(chunk, state, update) {
    const share = state ? state.level / (state.level + 0.1) : 0.5;
    if (state && update) await this.listen(chunk, state);
    this.calls.push("separate");
    const { frames, bins } = this.signal;
    const near = new Float32Array(frames * bins * 2);
    const far = new Float32Array(frames * bins * 2);
    for (let frame = 0, k = 0; frame < frames; frame++) {
      for (let bin = 0; bin < bins; bin++) {
        for (const part of [1, 2]) {
          const value = chunk[3 * (frame * bins + bin) + part];
          near[k] = value * share * (frame / frames);
          far[k] = value - near[k];
          k++;
        }
      }
    }
    return [near, far];
  }
}

const cases = {
  async spectra({ signal, lengths }) {
    const analysis = new StreamingSTFT(signal);
    const frames = [];
    for (const piece of pieces(await floats("mixture"), lengths)) frames.push(analysis.push(piece));
    return { frames: joined([...frames, analysis.flush()]) };
  },

  async compression({ signal }) {
    const frames = await floats("frames");
    const compressed = compress(frames, signal);
    const parts = new Float32Array((compressed.length / 3) * 2);
    for (let k = 0; k < compressed.length / 3; k++) parts.set(compressed.subarray(3 * k + 1, 3 * k + 3), 2 * k);
    return { compressed, again: decompress(parts, frames, signal) };
  },

  async synthesis({ signal, length, lengths }) {
    const synthesis = new StreamingISTFT(signal);
    const frames = await floats("frames");
    const width = signal.window + 2;
    const last = frames.length - 2 * width; // the frames that analysis gave at its flush
    const cut = pieces(frames.subarray(0, last), lengths.map((count) => count * width));
    const samples = [...cut].map((piece) => synthesis.push(piece));
    return { samples: joined([...samples, synthesis.flush(frames.subarray(last), length)]) };
  },

  async separation({ signal, overlap, context, lengths }) {
    const network = new Pupil({ signal, overlap, context: context !== "none" });
    const separator = new StreamingSeparator(network, { context });
    const stems = [[], []];
    const take = (ready) => ready.forEach((stem, k) => stems[k].push(stem));
    for (const piece of pieces(await floats("mixture"), lengths)) {
      for await (const ready of separator.push(piece)) take(ready);
    }
    for await (const ready of separator.flush()) take(ready);
    separator.close();
    return { near: joined(stems[0]), far: joined(stems[1]), calls: network.calls };
  },

  async resampling({ source, target, lengths }) {
    const resampler = new Resampler(source, target);
    const ready = [...pieces(await floats("mixture"), lengths)].map((piece) => resampler.push(piece));
    return { samples: joined([...ready, resampler.flush()]) };
  },
};

const { name, ...settings } = JSON.parse(await readFile(join(folder, "case.json"), "utf8"));
const results = await cases[name](settings);
for (const [key, values] of Object.entries(results)) {
  if (values instanceof Float32Array) await leave(`${key}.out`, values);
  else await writeFile(join(folder, `${key}.out`), JSON.stringify(values));
}
