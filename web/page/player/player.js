// Player: aligned spectrograms with one playhead, one slider from near over both to far. Independent of the page, which
// appends the samples.

import { clock, gainsAt, placeInWords, timeInWords } from "./mixing.js";
import { Playback } from "./playback.js";
import { Spectrogram, placeOf } from "./spectrogram.js";
import { timeline } from "./timeline.js";

const TITLES = { mixture: "Recording", near: "Near", far: "Far" };
const REFERENCE = " reference"; // tracks "near reference" and "far reference": true stems of a test scene
const HELP = "Space plays and pauses, the arrow keys move by five seconds, N, B and F choose near, both and far, R the recording.";
const HELP_REFERENCES = " T chooses the references.";
const JUMP = 5; // seconds of an arrow key
const LABELLED = [500, 1000, 2000, 4000]; // Hz

/** Return a new element: `element("button", { class: "x", text: "Play" }, child, ...)`. */
function element(tag, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/**
 * Player in a container.
 *
 * Samples of each track can be appended during playback. `place` is the position of the slider, -1 to 1; `source` is the
 * audible source: "stems" or "references", mixed by the slider, or "mixture", the recording.
 */
export class Player {
  /**
   * `rate` in Hz and `length` in samples of all tracks; `context`: as for `Playback`.
   *
   * Options: `titles` of the tracks by name, in the order of the rows; may have "near reference" and "far reference".
   * `spans`: intervals of speech, lists of [begin, end] in seconds by stem; null for no timeline.
   */
  constructor(container, rate, length, context, { titles = TITLES, spans = null } = {}) {
    this.rate = rate;
    this.length = length;
    this.place = 0;
    this.source = "stems";
    this.dirty = true;
    this.titles = titles;
    this.spans = spans;
    const names = Object.keys(titles);
    this.playback = new Playback(context, rate, length, names);
    this.spectrograms = Object.fromEntries(names.map((name) => [name, new Spectrogram(rate, length)]));
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

  /** Play. Call it from a click or a key. */
  play() {
    this.playback.play();
  }

  /** Current gains of near and far; null for the recording. */
  get gains() {
    return this.source === "mixture" ? null : gainsAt(this.place);
  }

  /** Remove the player. */
  close() {
    cancelAnimationFrame(this.frame);
    this.playback.close();
    this.resized.disconnect();
    this.theme.removeEventListener("change", this.redraw);
    this.root.remove();
  }

  #build() {
    const rows = Object.entries(this.titles).map(([name, title]) => {
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
    const seconds = this.length / this.rate;
    const strip = this.spans ? [timeline(this.spans, seconds)] : [];
    this.stack = element("div", { class: "player-stack", "data-rows": rows.length }, ...rows.map(({ row }) => row), ...strip, this.head);
    this.seeker = element("input", { type: "range", class: "player-seek", min: 0, max: seconds.toFixed(2), step: 0.01, value: 0, "aria-label": "Position" });
    this.button = element("button", { type: "button", class: "player-play" });
    this.time = element("span", { class: "player-time" });
    this.slider = element("input", { type: "range", min: -100, max: 100, step: 1, value: 0, "aria-label": "From near over both to far" });
    this.heard = element("output", { class: "player-heard" });
    this.others = Object.fromEntries(
      Object.entries({ mixture: "Hear the recording", references: "Hear the references" })
        .filter(([source]) => source === "mixture" || `near${REFERENCE}` in this.titles)
        .map(([source, text]) => [source, element("button", { type: "button", "aria-pressed": "false", text })]),
    );
    const ends = [["Near", -1], ["Both", 0], ["Far", 1]].map(([text, place]) => {
      const end = element("button", { type: "button", class: "player-end", text });
      end.addEventListener("click", () => this.moveTo(place));
      return end;
    });
    const mixer = element("div", { class: "player-mixer", role: "group", "aria-label": "What is heard" }, this.slider, element("div", { class: "player-ends" }, ...ends), this.heard);
    const others = element("div", { class: "player-others" }, ...Object.values(this.others));
    const controls = element("div", { class: "player-controls" }, this.button, this.time, mixer, others);
    return element(
      "div",
      { class: "player", role: "group", "aria-label": "Player" },
      this.stack,
      element("div", { class: "player-seekrow" }, this.seeker),
      controls,
      element("p", { class: "player-help", text: HELP + (this.others.references ? HELP_REFERENCES : "") }),
    );
  }

  #listen() {
    this.button.addEventListener("click", () => this.#toggle());
    this.seeker.addEventListener("input", () => this.seekTo(Number(this.seeker.value)));
    this.slider.addEventListener("input", () => this.moveTo(Number(this.slider.value) / 100));
    for (const [source, button] of Object.entries(this.others)) button.addEventListener("click", () => this.#switchTo(source));
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
    if (this.source === "mixture") this.source = "stems";
    this.#mix();
  }

  /** Go to a time in seconds. */
  seekTo(seconds) {
    this.playback.seek(seconds * this.rate);
  }

  /** Switch to another source, or from it back to the stems. */
  #switchTo(source) {
    this.source = this.source === source ? "stems" : source;
    this.#mix();
  }

  #mix() {
    const gains = Object.fromEntries(Object.keys(this.titles).map((name) => [name, 0]));
    const end = this.source === "references" ? REFERENCE : "";
    if (!this.gains) gains.mixture = 1;
    else for (const [stem, gain] of Object.entries(this.gains)) gains[stem + end] = gain;
    this.playback.setGains(gains);
    for (const [source, button] of Object.entries(this.others)) button.setAttribute("aria-pressed", String(source === this.source));
    const place = placeInWords(this.place);
    const words = { mixture: "the recording", references: `references: ${place}`, stems: place }[this.source];
    this.slider.setAttribute("aria-valuetext", words);
    this.heard.textContent = words;
  }

  #point(event) {
    const box = this.canvases.mixture.getBoundingClientRect();
    if (event.clientX < box.left && event.type === "pointerdown") return;
    this.seekTo((((event.clientX - box.left) / box.width) * this.length) / this.rate);
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
      r: () => this.#switchTo("mixture"),
      t: this.others.references ? () => this.#switchTo("references") : null,
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

  /** Update the playhead and changed spectrograms, once per frame of the screen. */
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
