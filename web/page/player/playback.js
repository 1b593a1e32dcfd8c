// Sound of several tracks at once, aligned to the sample, while they are still growing.

const AHEAD = 8; // seconds that are handed to the browser in advance: enough for a hidden tab's slow timers
const BLOCK = 4; // seconds of one block
const LEAD = 0.05; // seconds between a request and the first sample
const FADE = 0.01; // seconds: a cut that does not click
const GLIDE = 0.015; // time constant of a gain, in seconds
const TICK = 200; // ms

/**
 * Plays tracks of one rate and one length together, each with a gain of its own.
 *
 * Events: "state" (detail: "paused", "playing", or "waiting" for sound that is not there yet).
 */
export class Playback extends EventTarget {
  /** `context`: an AudioContext of `rate` Hz (made when the visitor first plays), or a function that gives it. */
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
    this.from = 0; // where it plays from, in samples, when it is not playing
    this.run = null; // what is playing: { start, time, end, fade, sources }
  }

  /** Samples that every track has. */
  get ready() {
    return Math.min(...Object.values(this.filled));
  }

  /** Where it is, in samples. */
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

  /** No more will come: what every track has is all that there is. */
  cut() {
    this.length = this.ready;
    if (this.state === "waiting") this.pause();
  }

  /** Set the gains of tracks, by name; the change glides. */
  setGains(gains) {
    Object.assign(this.gains, gains);
    if (!this.nodes) return;
    for (const [name, gain] of Object.entries(gains)) {
      this.nodes[name].gain.setTargetAtTime(gain, this.context.currentTime, GLIDE);
    }
  }

  /** Play on; from the start where it had come to the end. To be called from a click or a key. */
  play() {
    if (this.state !== "paused") return;
    if (this.from >= this.length) this.from = 0;
    this.#prepare();
    this.context.resume?.();
    this.#say("waiting");
    this.timer = setInterval(() => this.#tick(), TICK);
    this.#tick();
  }

  /** Stop, and stay where it is. */
  pause() {
    if (this.state === "paused") return;
    this.from = this.position;
    this.#stop();
    clearInterval(this.timer);
    this.#say("paused");
  }

  /** Go to a sample; what plays goes on from there. */
  seek(sample) {
    this.#stop();
    this.from = Math.max(0, Math.min(this.length, Math.round(sample)));
    if (this.state !== "paused") {
      this.#say("waiting");
      this.#tick();
    }
  }

  /** Give back what the browser holds. */
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

  /** Begin, hand on what is due, notice the end and what is missing. */
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

  /** Fade out what plays. */
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
