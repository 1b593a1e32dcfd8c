// Simultaneous playback of several tracks, aligned to the sample, while samples are still appended.

const AHEAD = 8; // seconds scheduled in advance, because timers of hidden tabs are slow
const BLOCK = 4; // seconds of one block
const LEAD = 0.05; // seconds between a request and the first sample
const FADE = 0.01; // seconds of a fade, against clicks
const GLIDE = 0.015; // time constant of a gain, in seconds
const TICK = 200; // ms

/**
 * Player of tracks with equal rate and length and individual gains.
 *
 * Events: "state" (detail: "paused", "playing", or "waiting" for missing samples).
 */
export class Playback extends EventTarget {
  /** `context`: an AudioContext of `rate` Hz or a function that returns it, called at the first playback. */
  constructor(context, rate, length, names) {
    super();
    this.makeContext = typeof context === "function" ? context : () => context;
    this.context = null;
    this.rate = rate;
    this.length = length;
    this.tracks = Object.fromEntries(names.map((name) => [name, new Float32Array(length)]));
    this.filled = Object.fromEntries(names.map((name) => [name, 0]));
    this.gains = Object.fromEntries(names.map((name) => [name, 1]));
    this.nodes = null;
    this.state = "paused";
    this.from = 0; // start of the next playback, in samples
    this.run = null; // current playback: { start, time, end, fade, sources }
  }

  /** Number of samples available in all tracks. */
  get ready() {
    return Math.min(...Object.values(this.filled));
  }

  /** Position in samples. */
  get position() {
    if (!this.run) return this.from;
    const heard = this.context.currentTime - (this.context.outputLatency || 0) - this.run.time;
    return Math.min(this.length, this.run.end, this.run.start + Math.max(0, Math.round(heard * this.rate)));
  }

  /** Append samples to a track. */
  append(name, samples) {
    const room = this.length - this.filled[name];
    this.tracks[name].set(samples.length > room ? samples.subarray(0, room) : samples, this.filled[name]);
    this.filled[name] = Math.min(this.length, this.filled[name] + samples.length);
    if (this.state !== "paused") this.#tick();
  }

  /** Shorten all tracks to their available samples. */
  cut() {
    this.length = this.ready;
    if (this.state === "waiting") this.pause();
  }

  /** Set the gains of tracks by name, with a smooth transition. */
  setGains(gains) {
    Object.assign(this.gains, gains);
    if (!this.nodes) return;
    for (const [name, gain] of Object.entries(gains)) {
      this.nodes[name].gain.setTargetAtTime(gain, this.context.currentTime, GLIDE);
    }
  }

  /** Continue playback, at the end from the start. Call it from a click or a key. */
  play() {
    if (this.state !== "paused") return;
    if (this.from >= this.length) this.from = 0;
    this.#prepare();
    this.context.resume?.();
    this.#say("waiting");
    this.timer = setInterval(() => this.#tick(), TICK);
    this.#tick();
  }

  /** Stop at the current position. */
  pause() {
    if (this.state === "paused") return;
    this.from = this.position;
    this.#stop();
    clearInterval(this.timer);
    this.#say("paused");
  }

  /** Move to a sample; playback continues from there. */
  seek(sample) {
    this.#stop();
    this.from = Math.max(0, Math.min(this.length, Math.round(sample)));
    if (this.state !== "paused") {
      this.#say("waiting");
      this.#tick();
    }
  }

  /** Release the audio nodes. */
  close() {
    this.pause();
    for (const node of Object.values(this.nodes ?? {})) node.disconnect();
  }

  #say(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  #prepare() {
    if (this.nodes) return;
    this.context = this.makeContext();
    this.nodes = {};
    for (const name of Object.keys(this.tracks)) {
      this.nodes[name] = this.context.createGain();
      this.nodes[name].gain.value = this.gains[name];
      this.nodes[name].connect(this.context.destination);
    }
  }

  /** Start, schedule the next blocks, detect the end and missing samples. */
  #tick() {
    if (this.run && this.context.currentTime >= this.run.time + (this.run.end - this.run.start) / this.rate) {
      const ended = this.run.end >= this.length;
      this.from = this.run.end;
      this.#stop();
      if (ended) {
        clearInterval(this.timer);
        this.#say("paused");
        return;
      }
      this.#say("waiting");
    }
    if (!this.run) {
      const enough = Math.min(this.length, this.from + this.rate / 2);
      if (this.from >= this.length || this.ready < enough) return;
      this.#begin();
    }
    const due = this.position + AHEAD * this.rate;
    while (this.run.end < Math.min(this.ready, due)) this.#schedule(Math.min(this.ready, this.run.end + BLOCK * this.rate));
  }

  #begin() {
    const time = this.context.currentTime + LEAD;
    const fades = Object.fromEntries(
      Object.entries(this.nodes).map(([name, node]) => {
        const fade = this.context.createGain();
        fade.gain.setValueAtTime(this.from === 0 ? 1 : 0, time);
        fade.gain.linearRampToValueAtTime(1, time + FADE);
        fade.connect(node);
        return [name, fade];
      }),
    );
    this.run = { start: this.from, time, end: this.from, fades, sources: new Set() };
    this.#say("playing");
  }

  #schedule(end) {
    const { run } = this;
    for (const [name, samples] of Object.entries(this.tracks)) {
      const buffer = this.context.createBuffer(1, end - run.end, this.rate);
      buffer.copyToChannel(samples.subarray(run.end, end), 0);
      const source = this.context.createBufferSource();
      source.buffer = buffer;
      source.connect(run.fades[name]);
      source.start(run.time + (run.end - run.start) / this.rate);
      source.onended = () => run.sources.delete(source);
      run.sources.add(source);
    }
    run.end = end;
  }

  /** Fade out the current playback. */
  #stop() {
    const { run } = this;
    if (!run) return;
    this.run = null;
    const now = this.context.currentTime;
    for (const fade of Object.values(run.fades)) {
      fade.gain.cancelScheduledValues(now);
      fade.gain.setTargetAtTime(0, now, FADE / 4);
    }
    for (const source of run.sources) source.stop(now + 2 * FADE);
    setTimeout(() => Object.values(run.fades).forEach((fade) => fade.disconnect()), 200);
  }
}
