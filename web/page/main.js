// The page: opens or records a sound, sends it to the engine, shows the stems in the player, and reports the progress.

import { Recorder } from "./audio/recorder.js";
import { openFile } from "./audio/sources.js";
import { offer, stemName } from "./downloads.js";
import { Engine } from "./engine-client.js";
import { prepareOffline } from "./offline.js";
import { clock } from "./player/mixing.js";
import { Player } from "./player/player.js";
import { Problem, sentence } from "./problem.js";

const find = (id) => document.getElementById(id);
const options = new URLSearchParams(window.location.search); // ?accelerator=wasm|webgpu, ?threads=1
const RATE = 16_000; // Hz, of the bundled models
const WORDS = { echoCancellation: "echo cancellation", noiseSuppression: "noise suppression", autoGainControl: "gain control" };

let engine; // set when `started` is fulfilled
let player = null;
let current = null; // { source, inner, name, rate, length } of the recording on the page
let recorder = null;
let turns = 0; // count of the visitor's actions
let begun = false; // true after the first action of the visitor
let sound = null;
let engineReady = false;

function say(text) {
  find("status").textContent = text;
}

function note(text) {
  if ([...find("notes").children].some((line) => line.textContent === text)) return;
  const line = document.createElement("li");
  line.textContent = text;
  find("notes").append(line);
}

function fail(error) {
  find("alert").textContent = sentence(error);
  find("alert").hidden = false;
  find("busy").hidden = true;
  say("");
}

/** Run an action of the visitor; show an error as a sentence. */
async function attempt(work) {
  begun = true;
  unlocked(sound?.sampleRate ?? RATE);
  find("alert").hidden = true;
  find("alert").textContent = "";
  try {
    await started;
    await work();
  } catch (error) {
    fail(error);
  }
}

const mayPlay = () => navigator.userActivation?.hasBeenActive ?? true;

/** Return the audio context for playback: browsers permit sound only if a click or a key created the context. */
function unlocked(rate) {
  if (!mayPlay()) return null;
  if (sound?.sampleRate !== rate) sound = new AudioContext({ sampleRate: rate });
  if (sound.state === "suspended") sound.resume();
  return sound;
}

/** End the current separation, reading or recording; return a function that is true until the next action begins. */
function abandon() {
  const turn = ++turns;
  engine.cancel();
  recorder?.cancel();
  showRecorder(null);
  find("busy").hidden = true;
  return () => turn === turns;
}

async function open(file) {
  const current = abandon();
  say(`Reading ${file.name} ...`);
  const source = await openFile(file);
  if (current()) await separate(source, current);
}

/** Keep the recorder, or null, and show its state. */
function showRecorder(one) {
  recorder = one;
  find("record").setAttribute("aria-pressed", String(one !== null));
  find("record").textContent = one ? "Stop and separate" : "Record";
  find("level").hidden = one === null;
}

async function separate(source, isCurrent) {
  player?.close();
  player = null;
  find("result").hidden = true;
  find("notes").replaceChildren();
  if (!engineReady) say("Loading the model ...");
  const { card } = await engine.ready;
  if (!isCurrent()) return;
  const inner = card.signal.sample_rate;
  const length = Math.max(1, Math.ceil((source.length * inner) / source.rate));
  const { name, rate } = source;
  current = { name, rate, length: source.length, inner };
  if (source.channels > 1) note(`${source.channels} channels were mixed to one; the command \`dss\` separates each channel.`);
  if (rate > inner) note(`The model reads frequencies up to ${inner / 2000} kHz: the stems contain nothing above.`);
  find("result").hidden = false;
  find("name").textContent = name;
  find("result").scrollIntoView({ block: "nearest" });
  player = new Player(find("player"), inner, length, () => unlocked(inner));
  for (const button of find("downloads").querySelectorAll("button")) button.disabled = true;
  await run(source, length);
}

async function run(source, length) {
  const since = performance.now();
  const own = player;
  let heard = 0;
  let ready = 0;
  const bar = find("progress");
  delete bar.dataset.first;
  find("busy").hidden = false;
  const show = () => {
    // Both passes over the recording take about the same time.
    bar.value = (0.5 * (heard + ready)) / length;
    const done = 10 * Math.floor(10 * bar.value); // in steps of ten: screen readers read each change
    say(ready ? `Separating: ${done} %` : `Listening to the recording first: ${done} %`);
  };
  const give = {
    mixture(samples) {
      own.append("mixture", samples);
      heard += samples.length;
      show();
    },
    stems(near, far) {
      own.append("near", near);
      own.append("far", far);
      if (!ready && near.length) {
        bar.dataset.first = Math.round(performance.now() - since);
        if (mayPlay()) own.play();
      }
      ready += near.length;
      show();
    },
  };
  if (!(await engine.separate(source, give))) return;
  find("busy").hidden = true;
  const seconds = (performance.now() - since) / 1000;
  bar.dataset.seconds = seconds.toFixed(3);
  say(`Separated ${clock(length / current.inner)} in ${seconds.toFixed(1)} seconds.`);
  for (const button of find("downloads").querySelectorAll("button")) button.disabled = false;
}

/** End the separation; the finished part of the stems can be played. */
function stop() {
  abandon();
  player.playback.cut();
  say(`Stopped: ${clock(player.playback.ready / current.inner)} of ${clock(player.length / current.inner)} can be played.`);
}

async function download(stem) {
  const all = { near: { near: 1, far: 0 }, far: { near: 0, far: 1 }, heard: player.gains };
  if (!all[stem]) throw new Problem("The player plays the recording itself: move the slider to download a mix.");
  const { near, far } = player.playback.tracks;
  say("Writing the file ...");
  const { blob, gain, clipped } = await engine.encode(near, far, current.rate, current.length, all[stem]);
  const decibels = (20 * Math.log10(gain)).toFixed(2);
  if (gain < 1) note(`${clipped || "Some"} samples would clip: all files of this recording are scaled by one gain, ${decibels} dB.`);
  offer(blob, stemName(current.name, stem));
  say("The file is in your downloads.");
}

async function startRecording() {
  const isCurrent = abandon();
  player?.close();
  player = null;
  find("result").hidden = true;
  const one = new Recorder(
    (level, seconds) => {
      find("level").value = Math.max(0, 1 + Math.log10(Math.max(level, 1e-3)) / 3);
      find("record").textContent = `Stop and separate (${clock(seconds)})`;
    },
    () => attempt(stopRecording),
  );
  let kept;
  try {
    kept = await one.start();
  } catch (error) {
    one.cancel();
    throw error;
  }
  if (!isCurrent()) return one.cancel();
  showRecorder(one);
  const hiding = kept.map((name) => WORDS[name]).join(" and ");
  say(hiding ? `Recording. Your browser does not switch ${hiding} off, which hides the distance of a voice.` : "Recording.");
}

async function stopRecording() {
  const one = recorder;
  if (!one) return;
  showRecorder(null);
  const source = await one.stop();
  await separate(source, abandon());
}

async function openExample(name) {
  say("Loading the example ...");
  const response = await fetch(`examples/${name}`).catch(() => null);
  if (!response?.ok) throw new Problem("The example could not be loaded: check the connection.");
  await open(new File([await response.blob()], name));
}

function wire() {
  const input = find("file");
  find("choose").addEventListener("click", () => {
    begun = true;
    input.click();
  });
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = ""; // permits the same file again
    if (file) attempt(() => open(file));
  });
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => attempt(() => openExample(button.dataset.example)));
  }
  find("stop").addEventListener("click", () => attempt(stop));
  find("record").addEventListener("click", () => attempt(recorder ? stopRecording : startRecording));
  for (const button of document.querySelectorAll("[data-download]")) {
    button.addEventListener("click", () => attempt(() => download(button.dataset.download)));
  }
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragged");
  });
  document.addEventListener("dragleave", () => document.body.classList.remove("dragged"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragged");
    const [file] = event.dataTransfer.files;
    attempt(async () => {
      if (!file) throw new Problem("The dropped object is not a file: drop a sound or a video.");
      await open(file);
    });
  });
}

/** Create the engine; never returns if the page is about to load again. */
async function begin() {
  const full = () => (find("storage").hidden = false);
  if (!(await prepareOffline(() => begun, full))) await new Promise(() => {});
  engine = new Engine(options.get("accelerator") ?? "auto", Number(options.get("threads")) || null);
}

async function tellEngine() {
  const { used, why, threads } = await engine.ready;
  engineReady = true;
  const what = used === "webgpu" ? "the GPU" : `the processor, ${threads} thread${threads === 1 ? "" : "s"}`;
  find("engine").textContent = `Runs on ${what}${why ? ` (${why})` : ""}.`;
  for (const button of document.querySelectorAll("[data-example]")) {
    fetch(`examples/${button.dataset.example}`).catch(() => {}); // the service worker stores it for visits without a connection
  }
}

const started = begin();
wire();
started.then(tellEngine).catch(fail);
