// Recording from the microphone, without processing by the browser.

import { Problem } from "../problem.js";
import { joined, peak } from "../signal/arrays.js";
import { LONGEST_DECODED } from "./sources.js";

// Echo cancellation, noise suppression and gain control hide the distance.
const PROCESSING = ["echoCancellation", "noiseSuppression", "autoGainControl"];
const REFUSALS = {
  NotAllowedError: "The microphone is not permitted: permit it for this page in the browser's settings, or choose a file.",
  NotFoundError: "There is no microphone: plug one in, or choose a file.",
  NotReadableError: "The microphone is in use by another program: close this program, or choose a file.",
};

/** One recording. `onlevel(peak, seconds)` is called ten times a second, `onfull` at the longest duration. */
export class Recorder {
  constructor(onlevel, onfull) {
    this.onlevel = onlevel;
    this.onfull = onfull;
    this.blocks = [];
    this.length = 0;
  }

  /** Request the microphone and begin. Returns the names of the processing that the browser does not switch off. */
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) throw new Problem("This browser does not offer a microphone to pages: choose a file.");
    const audio = { channelCount: 1, ...Object.fromEntries(PROCESSING.map((name) => [name, false])) };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Problem(REFUSALS[error.name] ?? `The microphone cannot be used: ${error.message}`);
    }
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule(new URL("recorder-worklet.js", import.meta.url));
    this.node = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => this.#take(data);
    this.context.createMediaStreamSource(this.stream).connect(this.node);
    await this.context.resume();
    const settings = this.stream.getAudioTracks()[0].getSettings();
    return PROCESSING.filter((name) => settings[name] === true);
  }

  /** End the recording and return it as a source. */
  async stop() {
    const last = new Promise((resolve) => (this.ended = resolve));
    this.node.port.postMessage("end");
    await last;
    const rate = this.context.sampleRate;
    this.cancel();
    const name = `recording-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.wav`;
    if (!this.length) throw new Problem("The recording is empty: the microphone sent no samples; choose another one.");
    const samples = joined(this.blocks);
    if (peak(samples) === 0) throw new Problem("The recording is silent: switch the microphone on, or choose another one.");
    return { name, rate, length: samples.length, channels: 1, samples };
  }

  /** Release the microphone. */
  cancel() {
    if (this.node) this.node.port.onmessage = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.context?.state !== "closed") this.context?.close();
  }

  #take(block) {
    this.blocks.push(block);
    this.length += block.length;
    if (this.ended) return this.ended();
    const seconds = this.length / this.context.sampleRate;
    this.onlevel(peak(block), seconds);
    if (seconds >= LONGEST_DECODED - 1) this.onfull();
  }
}
