// Sample rate in the header of a compressed file. Browsers decode to any rate, but their conversion attenuates the highest
// frequencies: a file must be decoded at its own rate.

const MPEG_RATES = { 3: [44_100, 48_000, 32_000], 2: [22_050, 24_000, 16_000], 0: [11_025, 12_000, 8000] };
const OPUS = 48_000; // always decoded to this

/** Return the rate in Hz, or null for unknown formats and headers without a rate. */
export function statedRate(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = word(bytes, 0, 3) === "ID3" ? 10 + sevens(bytes, 6) : 0;
  if (word(bytes, start, 4) === "fLaC") return flacRate(bytes, start + 8);
  if (word(bytes, 0, 4) === "OggS") return oggRate(bytes, view);
  if (word(bytes, 4, 4) === "ftyp") return mp4Rate(bytes, view);
  if (view.byteLength > 4 && view.getUint32(0) === 0x1a45dfa3) return matroskaRate(bytes, view);
  return mpegRate(bytes, start);
}

function word(bytes, at, length) {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function sevens(bytes, at) {
  return [0, 1, 2, 3].reduce((value, k) => value * 128 + (bytes[at + k] & 127), 0);
}

function flacRate(bytes, at) {
  return ((bytes[at + 10] << 12) | (bytes[at + 11] << 4) | (bytes[at + 12] >> 4)) || null;
}

function oggRate(bytes, view) {
  const opus = find(bytes, "OpusHead", 0, 512);
  const vorbis = find(bytes, "\x01vorbis", 0, 512);
  const flac = find(bytes, "fLaC", 0, 512);
  if (opus >= 0) return OPUS;
  if (vorbis >= 0) return view.getUint32(vorbis + 12, true) || null;
  return flac >= 0 ? flacRate(bytes, flac + 8) : null;
}

/** Return the rate in the first audio sample entry. */
function mp4Rate(bytes, view) {
  const at = find(bytes, "mp4a", 0, bytes.length);
  if (at < 0 || at + 32 > bytes.length) return find(bytes, "Opus", 0, bytes.length) >= 0 ? OPUS : null;
  return view.getUint16(at + 28) || null;
}

/** Return the value of the element SamplingFrequency (0xB5), a float of 4 or 8 bytes. */
function matroskaRate(bytes, view) {
  if (find(bytes, "A_OPUS", 0, bytes.length) >= 0) return OPUS;
  for (let at = find(bytes, "A_", 0, bytes.length); at >= 0 && at + 10 < bytes.length; at++) {
    if (bytes[at] !== 0xb5 || (bytes[at + 1] !== 0x84 && bytes[at + 1] !== 0x88)) continue;
    const rate = bytes[at + 1] === 0x84 ? view.getFloat32(at + 2) : view.getFloat64(at + 2);
    if (rate >= 8000 && rate <= 384_000) return Math.round(rate);
  }
  return null;
}

/** Return the rate in the first frame of an MP3 file. */
function mpegRate(bytes, start) {
  for (let at = start; at + 4 < bytes.length; at++) {
    if (bytes[at] !== 0xff || (bytes[at + 1] & 0xe0) !== 0xe0) continue;
    const version = (bytes[at + 1] >> 3) & 3;
    const layer = (bytes[at + 1] >> 1) & 3;
    const rate = MPEG_RATES[version]?.[(bytes[at + 2] >> 2) & 3];
    if (rate && layer !== 0 && bytes[at + 2] >> 4 !== 15) return rate;
  }
  return null;
}

function find(bytes, text, from, to) {
  const codes = [...text].map((letter) => letter.charCodeAt(0));
  for (let at = from; at + codes.length <= Math.min(to, bytes.length); at++) {
    if (codes.every((code, k) => bytes[at + k] === code)) return at;
  }
  return -1;
}
