// Fourier transform of real samples, for lengths that are a power of two.

/** Transform of `size` real samples to `size / 2 + 1` bins, and its inverse, in float64. */
export class RealFFT {
  constructor(size) {
    if (size < 4 || (size & (size - 1)) !== 0) throw new RangeError(`FFT size ${size} is not a power of two`);
    this.size = size;
    this.half = size / 2;
    const angles = Array.from({ length: this.half + 1 }, (_, k) => (-2 * Math.PI * k) / size);
    this.cos = Float64Array.from(angles, Math.cos);
    this.sin = Float64Array.from(angles, Math.sin);
    this.order = bitReversed(this.half);
    this.re = new Float64Array(this.half);
    this.im = new Float64Array(this.half);
  }

  /** Transform `samples` (`size` of them); write re, im, re, im, ... of the bins into `out` from `at` on. */
  forward(samples, out, at = 0) {
    const { half, re, im, order, cos, sin } = this;
    for (let k = 0; k < half; k++) {
      re[order[k]] = samples[2 * k];
      im[order[k]] = samples[2 * k + 1];
    }
    this.#transform();
    for (let k = 0; k <= half; k++) {
      // Even and odd samples were transformed as one complex signal: separate and combine their spectra.
      const a = k % half;
      const b = (half - k) % half;
      const evenRe = (re[a] + re[b]) / 2;
      const evenIm = (im[a] - im[b]) / 2;
      const oddRe = (im[a] + im[b]) / 2;
      const oddIm = (re[b] - re[a]) / 2;
      out[at + 2 * k] = evenRe + cos[k] * oddRe - sin[k] * oddIm;
      out[at + 2 * k + 1] = evenIm + cos[k] * oddIm + sin[k] * oddRe;
    }
  }

  /** Undo `forward`: read the bins from `bins` at `at`, write `size` samples into `out`. */
  inverse(bins, at, out) {
    const { half, size, re, im, order, cos, sin } = this;
    for (let k = 0; k < half; k++) {
      const a = at + 2 * k;
      const b = at + 2 * (half - k);
      // The imaginary parts of the first and the last bin are ignored, as in NumPy's `irfft`.
      const aIm = k === 0 ? 0 : bins[a + 1];
      const bIm = k === 0 ? 0 : bins[b + 1];
      const evenRe = (bins[a] + bins[b]) / 2;
      const evenIm = (aIm - bIm) / 2;
      const restRe = (bins[a] - bins[b]) / 2;
      const restIm = (aIm + bIm) / 2;
      const oddRe = restRe * cos[k] + restIm * sin[k];
      const oddIm = restIm * cos[k] - restRe * sin[k];
      // Conjugated, so that the forward transform serves as the inverse.
      re[order[k]] = evenRe - oddIm;
      im[order[k]] = -(evenIm + oddRe);
    }
    this.#transform();
    for (let k = 0; k < half; k++) {
      out[2 * k] = (2 * re[k]) / size;
      out[2 * k + 1] = (-2 * im[k]) / size;
    }
  }

  /** Transform the `half` complex values in `re` and `im`, which are in bit-reversed order. */
  #transform() {
    const { half, size, re, im, cos, sin } = this;
    for (let width = 1; width < half; width *= 2) {
      const stride = size / (2 * width);
      for (let start = 0; start < half; start += 2 * width) {
        for (let k = 0; k < width; k++) {
          const a = start + k;
          const b = a + width;
          const turn = k * stride;
          const turnedRe = re[b] * cos[turn] - im[b] * sin[turn];
          const turnedIm = re[b] * sin[turn] + im[b] * cos[turn];
          re[b] = re[a] - turnedRe;
          im[b] = im[a] - turnedIm;
          re[a] += turnedRe;
          im[a] += turnedIm;
        }
      }
    }
  }
}

function bitReversed(size) {
  const order = new Uint32Array(size);
  for (let k = 1; k < size; k++) order[k] = (order[k >> 1] >> 1) | (k & 1 ? size >> 1 : 0);
  return order;
}
