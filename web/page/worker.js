// The worker: runs LiteRT.js and the engine outside the page's thread.
//
// A classic worker, because LiteRT.js loads its WebAssembly by `importScripts`, which module workers lack.

"use strict";

const base = new URL(".", self.location.href).href;
const wasm = `${base}litert/`;
const said = []; // messages of libraries: sent to the page with an error, not printed on the console
let modules;
let network;
let card;
let current = 0; // number of the current recording

const post = (type, fields = {}, transfer = []) => self.postMessage({ type, ...fields }, transfer);

for (const level of ["log", "info", "warn", "error"]) {
  console[level] = (...words) => {
    said.push(words.join(" "));
    if (said.length > 50) said.shift();
  };
}

/** Receive messages between two steps of long work. */
const pause = (() => {
  const { port1, port2 } = new MessageChannel();
  const waiting = [];
  port1.onmessage = () => waiting.shift()();
  return () => new Promise((resolve) => waiting.push(resolve) && port2.postMessage(0));
})();

async function fetched(name) {
  const { Problem } = modules.problem;
  const response = await fetch(base + name).catch(() => null);
  if (!response?.ok) throw new Problem(`The page could not load ${name}: check the connection, and reload the page.`);
  return response;
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function load({ accelerator, threads }) {
  const [problem, wav, recording, runtime, networks] = await Promise.all(
    ["problem.js", "audio/wav.js", "engine/recording.js", "litert/index.js", "engine/network.js"].map(
      (name) => import(base + name),
    ),
  );
  modules = { problem, wav, recording, runtime, networks };
  card = await (await fetched("models/model.json")).json();
  const bytes = new Uint8Array(await (await fetched("models/model.tflite")).arrayBuffer());
  if (crypto.subtle && (await sha256(bytes)) !== card.sha256) throw new problem.Problem("The loaded model is damaged: reload the page.");
  const threaded = threads > 1 && self.crossOriginIsolated && (await runtime.supportsFeature("relaxedSimd"));
  self.Module = {
    locateFile: (name) => wasm + name,
    mainScriptUrlOrBlob: `${wasm}litert_wasm_threaded_internal.js`,
  };
  await runtime.loadLiteRt(wasm, { threads: threaded });
  const used = threaded ? threads : 1;
  const compiled = await networks.compile(runtime, bytes, card, accelerator, used);
  network = compiled.network;
  post("ready", { used: compiled.used, why: compiled.why, threads: used, card: { name: card.name, signal: card.signal } });
}

async function separate({ job, source, context }) {
  const { separateBlocks } = modules.recording;
  const abandoned = new Error("replaced by another recording");
  const check = async () => {
    await pause();
    if (job !== current) throw abandoned;
  };
  const give = {
    mixture: (samples) => post("mixture", { job, samples: samples.slice() }), // a copy, because a view would be sent with its whole buffer
    stems: (near, far) => post("stems", { job, near, far }, [near.buffer, far.buffer]),
  };
  try {
    await separateBlocks(network, blocks(source), source.rate, context, give, check);
    post("done", { job });
  } catch (error) {
    if (error !== abandoned) throw error;
  }
}

/** Yield the samples of a source in blocks of a second. */
async function* blocks(source) {
  if (source.file) {
    yield* modules.wav.wavBlocks(source.file, await modules.wav.wavHead(source.file), source.rate);
    return;
  }
  for (let at = 0; at < source.samples.length; at += source.rate) {
    yield source.samples.subarray(at, at + source.rate);
  }
}

async function encode({ id, near, far, rate, length, gains }) {
  const inner = card.signal.sample_rate;
  post("encoded", { id, ...(await modules.recording.encode([near, far], inner, rate, length, gains, pause)) });
}

/** Separate one recording at a time: the previous one ends at its next pause. */
let separating = Promise.resolve();
function queued(data) {
  separating = separating.catch(() => {}).then(() => separate(data));
  return separating;
}

const tasks = { load, separate: queued, encode };

self.onmessage = async ({ data }) => {
  if (data.type === "separate" || data.type === "cancel") current = data.job;
  try {
    await tasks[data.type]?.(data);
  } catch (error) {
    const text = modules?.problem.sentence(error) ?? `The engine of the page could not be loaded: ${error.message ?? error}`;
    post("error", { job: data.job, id: data.id, during: data.type, text, said: [...said] });
  }
};
