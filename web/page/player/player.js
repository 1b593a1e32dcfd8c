// The player: aligned spectrograms with one playhead, one slider from near over both to far. It knows nothing of
// the page around it, and gets its samples from whoever has them.

import { clock, gainsAt, placeInWords, timeInWords } from "./mixing.js";
import { Playback } from "./playback.js";
import { Spectrogram, placeOf } from "./spectrogram.js";

const TRACKS = { mixture: "Recording", near: "Near", far: "Far" };
const HELP = "Space plays and pauses, the arrow keys move by five seconds, N, B and F choose near, both and far, R the recording.";
const JUMP = 5; // seconds of an arrow key
const LABELLED = [500, 1000, 2000, 4000]; // Hz

/** Make an element: `element("button", { class: "x", text: "Play" }, child, ...)`. */
function element(tag, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/**
 * A player in a container.
 *
 * Append samples of "mixture", "near" and "far" as they become known; `place` is where the slider stands, from -1 to 1.
 */
export class Player {
  /** `rate` in Hz and `length` in samples of all tracks; `context`: as `Playback` takes it. */
  constructor(container, rate, length, context) {
    this.rate = rate;
    this.length = length;
    this.place = 0;
    this.original = false; // whether the recording itself is heard
    this.dirty = true;
    this.playback = new Playback(context, rate, length, Object.keys(TRACKS));
    this.spectrograms = Object.fromEntries(Object.keys(TRACKS).map((name) => [name, new Spectrogram(rate, length)]));
    this.root = this.#build();
    container.replaceChildren(this.root);
    this.#listen();
    this.#mix();
    this.#showState();
    this.frame = requestAnimationFrame(() => this.#show());
  }

  /** Append samples to a track. */
  append(name, samples) {
    this.playback.append(name, samples);
    this.spectrograms[name].push(samples);
    this.dirty = true;
  }

  /** Play; to be called from a click or a key. */
  play() {
    this.playback.play();
  }

  /** Gains of near and far as they are heard; null where the recording itself is. */
  get gains() {
    return this.original ? null : gainsAt(this.place);
  }

  /** Take the player away. */
  close() {
    cancelAnimationFrame(this.frame);
    this.playback.close();
    this.resized.disconnect();
    this.theme.removeEventListener("change", this.redraw);
    this.root.remove();
  }

  #build() {
    const rows = Object.entries(TRACKS).map(([name, title]) => {
      const canvas = element("canvas", { role: "img", "aria-label": `Spectrogram: ${title.toLowerCase()}` });
      const scale = LABELLED.filter((hertz) => hertz < this.rate / 2).map((hertz) => {
        const label = element("span", { text: hertz < 1000 ? `${hertz}` : `${hertz / 1000}k`, "aria-hidden": "true" });
        label.style.bottom = `${100 * placeOf(hertz, this.rate)}%`;
        return label;
      });
      const picture = element("div", { class: "player-picture" }, canvas, ...scale);
      return { name, canvas, row: element("div", { class: "player-row" }, element("div", { class: "player-name", text: title }), picture) };
    });
    this.canvases = Object.fromEntries(rows.map(({ name, canvas }) => [name, canvas]));
    this.head = element("div", { class: "player-head", "aria-hidden": "true" });
    this.stack = element("div", { class: "player-stack" }, ...rows.map(({ row }) => row), this.head);
    const seconds = this.length / this.rate;
    this.seeker = element("input", { type: "range", class: "player-seek", min: 0, max: seconds.toFixed(2), step: 0.01, value: 0, "aria-label": "Position" });
    this.button = element("button", { type: "button", class: "player-play" });
    this.time = element("span", { class: "player-time" });
    this.slider = element("input", { type: "range", min: -100, max: 100, step: 1, value: 0, "aria-label": "From near over both to far" });
    this.heard = element("output", { class: "player-heard" });
    this.compare = element("button", { type: "button", "aria-pressed": "false", text: "Hear the recording" });
    const ends = [["Near", -1], ["Both", 0], ["Far", 1]].map(([text, place]) => {
      const end = element("button", { type: "button", class: "player-end", text });
      end.addEventListener("click", () => this.moveTo(place));
      return end;
    });
    const mixer = element("div", { class: "player-mixer", role: "group", "aria-label": "What is heard" }, this.slider, element("div", { class: "player-ends" }, ...ends), this.heard);
    const controls = element("div", { class: "player-controls" }, this.button, this.time, mixer, this.compare);
    return element(
      "section",
      { class: "player", "aria-label": "Player" },
      this.stack,
      element("div", { class: "player-seekrow" }, this.seeker),
      controls,
      element("p", { class: "player-help", text: HELP }),
    );
  }

  #listen() {
    this.button.addEventListener("click", () => this.#toggle());
    this.seeker.addEventListener("input", () => this.playback.seek(Number(this.seeker.value) * this.rate));
    this.slider.addEventListener("input", () => this.moveTo(Number(this.slider.value) / 100));
    this.compare.addEventListener("click", () => this.#hearRecording(!this.original));
    this.stack.addEventListener("pointerdown", (event) => this.#point(event));
    this.stack.addEventListener("pointermove", (event) => event.buttons && this.#point(event));
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.playback.addEventListener("state", () => this.#showState());
    this.redraw = () => (this.dirty = true);
    this.resized = new ResizeObserver(this.redraw);
    this.resized.observe(this.stack);
    this.theme = matchMedia("(prefers-color-scheme: dark)");
    this.theme.addEventListener("change", this.redraw);
  }

  #toggle() {
    if (this.playback.state === "paused") this.playback.play();
    else this.playback.pause();
  }

  /** Move the slider: -1 near, 0 both, 1 far. */
  moveTo(place) {
    this.place = place;
    this.slider.value = Math.round(100 * place);
    this.#hearRecording(false);
  }

  #hearRecording(wanted) {
    this.original = wanted;
    this.compare.setAttribute("aria-pressed", String(wanted));
    this.#mix();
  }

  #mix() {
    const gains = this.gains;
    this.playback.setGains({ near: 0, far: 0, ...gains, mixture: gains ? 0 : 1 });
    const words = this.original ? "the recording" : placeInWords(this.place);
    this.slider.setAttribute("aria-valuetext", words);
    this.heard.textContent = words;
  }

  #point(event) {
    const box = this.canvases.mixture.getBoundingClientRect();
    if (event.clientX < box.left && event.type === "pointerdown") return;
    this.playback.seek(((event.clientX - box.left) / box.width) * this.length);
    event.preventDefault();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.target === this.slider || event.target === this.seeker;
    const jump = (seconds) => this.playback.seek(this.playback.position + seconds * this.rate);
    const keys = {
      " ": event.target.tagName === "BUTTON" ? null : () => this.#toggle(),
      ArrowLeft: event.target === this.slider ? null : () => jump(-JUMP),
      ArrowRight: event.target === this.slider ? null : () => jump(JUMP),
      Home: own ? null : () => this.playback.seek(0),
      n: () => this.moveTo(-1),
      b: () => this.moveTo(0),
      f: () => this.moveTo(1),
      r: () => this.#hearRecording(!this.original),
    };
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    action();
    event.preventDefault();
  }

  #showState() {
    const { state } = this.playback;
    this.button.textContent = state === "paused" ? "Play" : state === "playing" ? "Pause" : "Pause (waiting)";
    this.root.dataset.state = state;
  }

  /** Once per picture of the screen: the playhead, and what has changed of the spectrograms. */
  #show() {
    this.frame = requestAnimationFrame(() => this.#show());
    const { position } = this.playback;
    if (position === this.shown && !this.dirty) return;
    this.shown = position;
    const share = this.length ? position / this.length : 0;
    const [first, stack] = [this.canvases.mixture.getBoundingClientRect(), this.stack.getBoundingClientRect()];
    this.head.style.transform = `translateX(${first.left - stack.left + share * first.width}px)`;
    const [seconds, all] = [position / this.rate, this.length / this.rate];
    if (document.activeElement !== this.seeker || this.playback.state !== "waiting") this.seeker.value = seconds;
    const said = `${timeInWords(seconds)} of ${timeInWords(all)}`;
    if (this.seeker.getAttribute("aria-valuetext") !== said) {
      this.seeker.setAttribute("aria-valuetext", said);
      this.time.textContent = `${clock(seconds)} / ${clock(all)}`;
    }
    if (this.dirty) this.#draw();
  }

  #draw() {
    this.dirty = false;
    const loudest = this.spectrograms.mixture.loudest;
    for (const [name, canvas] of Object.entries(this.canvases)) {
      const { width, height } = canvas.getBoundingClientRect();
      const scale = Math.min(2, devicePixelRatio || 1);
      const size = [Math.round(width * scale), Math.round(height * scale)];
      if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
      this.spectrograms[name].draw(canvas, this.theme.matches ? "dark" : "light", loudest);
    }
  }
}
