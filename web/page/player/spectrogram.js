// Spectrograms of speech, computed blockwise and drawn on a canvas of any size.

import { RealFFT } from "../signal/fft.js";

const SIZE = 512;
const BANDS = 96;
const FLOOR = -110; // dB re full scale: level 0
const STEP = 110 / 255; // dB of one level
const SPAN = 65; // dB between the loudest band of a recording and the background colour

// Colour scales from silence to loud, for dark and light pages.
const SCALES = {
  dark: [[13, 17, 33], [45, 27, 94], [122, 37, 120], [207, 68, 96], [246, 142, 77], [252, 238, 172]],
  light: [[250, 250, 247], [223, 223, 236], [166, 170, 214], [109, 96, 178], [84, 39, 120], [40, 8, 54]],
};

/** Levels of one track over time and frequency, in mel bands up to half its rate. */
export class Spectrogram {
  constructor(rate, length) {
    this.hop = Math.round(rate * 0.016);
    this.columns = Math.max(1, Math.ceil(length / this.hop));
    this.levels = new Uint8Array(this.columns * BANDS);
    this.filled = 0; // columns
    this.loudest = 0; // level
    this.fft = new RealFFT(SIZE);
    this.window = Float32Array.from({ length: SIZE }, (_, k) => Math.sin((Math.PI * (k + 0.5)) / SIZE) ** 2);
    this.windowed = new Float32Array(SIZE);
    this.bins = new Float64Array(SIZE + 2);
    this.edges = melEdges(rate);
    this.kept = new Float32Array(SIZE / 2);
    this.taken = 0;
    this.length = length;
  }

  /** Take samples of the track, in order. */
  push(samples) {
    this.taken += samples.length;
    const padding = this.taken >= this.length ? SIZE : 0; // the last columns extend beyond the end
    const all = new Float32Array(this.kept.length + samples.length + padding);
    all.set(this.kept);
    all.set(samples, this.kept.length);
    let at = 0;
    for (; at + SIZE <= all.length && this.filled < this.columns; at += this.hop) this.#column(all, at);
    this.kept = all.slice(at);
  }

  #column(samples, at) {
    const { windowed, bins } = this;
    for (let k = 0; k < SIZE; k++) windowed[k] = this.window[k] * samples[at + k];
    this.fft.forward(windowed, bins);
    const to = this.filled * BANDS;
    for (let band = 0; band < BANDS; band++) {
      let power = 0;
      const [first, last] = [this.edges[band], Math.max(this.edges[band] + 1, this.edges[band + 1])];
      for (let bin = first; bin < last; bin++) power += bins[2 * bin] ** 2 + bins[2 * bin + 1] ** 2;
      const decibels = 10 * Math.log10(power / (last - first) / (SIZE / 4) ** 2 + 1e-20);
      const level = Math.max(0, Math.min(255, Math.round((decibels - FLOOR) / STEP)));
      this.levels[to + band] = level;
      if (level > this.loudest) this.loudest = level;
    }
    this.filled++;
  }

  /**
   * Draw the whole track onto a canvas of its own size in pixels.
   *
   * `theme`: "dark" or "light"; `loudest`: level of the strongest colour, equal for all tracks of a recording,
   * which makes them comparable.
   */
  draw(canvas, theme, loudest) {
    const { width, height } = canvas;
    if (!width || !height) return;
    const colours = palette(SCALES[theme]);
    const lowest = loudest - SPAN / STEP;
    const image = canvas.getContext("2d").createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer).fill(colours[0]);
    const narrowed = this.#narrowed(width);
    for (let y = 0; y < height; y++) {
      const band = Math.floor(((height - 1 - y) * BANDS) / height);
      for (let x = 0; x < width; x++) {
        const share = (narrowed[x * BANDS + band] - lowest) / (loudest - lowest || 1);
        if (share > 0) pixels[y * width + x] = colours[Math.min(255, Math.round(255 * share))];
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  /** Return the loudest level of each band in each column of pixels; earlier calls are not repeated. */
  #narrowed(width) {
    if (this.pixels?.width !== width) this.pixels = { width, levels: new Uint8Array(width * BANDS), done: 0 };
    const { levels, done } = this.pixels;
    for (let column = done; column < this.filled; column++) {
      const first = Math.floor((column * width) / this.columns);
      const last = Math.max(first + 1, Math.ceil(((column + 1) * width) / this.columns));
      for (let x = first; x < last; x++) {
        for (let band = 0; band < BANDS; band++) {
          const level = this.levels[column * BANDS + band];
          if (level > levels[x * BANDS + band]) levels[x * BANDS + band] = level;
        }
      }
    }
    this.pixels.done = this.filled;
    return levels;
  }
}

const palettes = new Map();

/** Return 256 interpolated colours as pixels. */
function palette(stops) {
  if (!palettes.has(stops)) {
    palettes.set(
      stops,
      Uint32Array.from({ length: 256 }, (_, k) => {
        const place = (k / 255) * (stops.length - 1);
        const from = Math.min(stops.length - 2, Math.floor(place));
        const [red, green, blue] = stops[from].map((value, part) =>
          Math.round(value + (place - from) * (stops[from + 1][part] - value)),
        );
        return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
      }),
    );
  }
  return palettes.get(stops);
}

/** Return the first bin of each mel band, and the end of the last one. */
function melEdges(rate) {
  const mel = (hertz) => Math.log1p(hertz / 700);
  const top = mel(rate / 2);
  return Array.from({ length: BANDS + 1 }, (_, k) => {
    const hertz = 700 * Math.expm1((top * k) / BANDS);
    return Math.min(SIZE / 2, Math.round((hertz / rate) * SIZE));
  });
}

/** Return the height of a frequency in the picture, 0 (bottom) to 1. */
export function placeOf(hertz, rate) {
  return Math.log1p(hertz / 700) / Math.log1p(rate / 2 / 700);
}
