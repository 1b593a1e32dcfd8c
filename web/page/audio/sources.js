// Inputs of the page: files of any format as samples of one channel, or as a WAV that is read in blocks.

import { clock } from "../player/mixing.js";
import { Problem } from "../problem.js";
import { statedRate } from "./rate.js";
import { wavHead } from "./wav.js";

export const LONGEST_WAV = 60 * 60; // seconds: what a tab's memory holds of a recording and its two stems
export const LONGEST_DECODED = 30 * 60; // the browser decodes the others as a whole
const LARGEST = 600e6; // bytes, where the length is not stated
const RATES = { least: 8000, most: 384_000 };
const COMMAND = "use the command `dss separate`, which accepts any length";

/**
 * Open a file.
 *
 * Returns `{ name, rate, length, channels, file }` for a WAV, and `samples` instead of `file` for others: float32, one
 * channel. Raises `Problem` with one sentence for files that cannot be separated.
 */
export async function openFile(file) {
  const name = file.name || "The recording";
  const head = await wavHead(file).catch(() => {
    throw new Problem(`${name} cannot be read: it may have been moved or deleted; choose it again.`);
  });
  if (head) {
    checkLength(name, head.frames / head.rate, LONGEST_WAV);
    checkRate(name, head.rate);
    return { name, rate: head.rate, length: head.frames, channels: head.channels, file };
  }
  if (file.size === 0) throw new Problem(`${name} is empty: choose another file.`);
  const media = await probe(file);
  if (media.seconds) checkLength(name, media.seconds, LONGEST_DECODED);
  else if (file.size > LARGEST) throw new Problem(`${name} is too large for this page; ${COMMAND}.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const rate = statedRate(bytes) ?? 48_000;
  checkRate(name, rate);
  const decoded = await decode(bytes.buffer, rate).catch(() => null);
  if (!decoded?.length) {
    throw new Problem(
      media.picture
        ? `${name} is a video without sound, or with sound that this browser cannot decode: convert it to WAV.`
        : `${name} is not a sound that this browser can decode: convert it to WAV.`,
    );
  }
  checkLength(name, decoded.length / rate, LONGEST_DECODED);
  return { name, rate, length: decoded.length, channels: decoded.numberOfChannels, samples: mixed(decoded) };
}

function checkLength(name, seconds, longest) {
  if (!(seconds > 0)) throw new Problem(`${name} contains no sound: choose another file.`);
  if (seconds > longest) {
    throw new Problem(`${name} has a duration of ${clock(seconds)}; this page accepts ${longest / 60} minutes; ${COMMAND}.`);
  }
}

function checkRate(name, rate) {
  if (rate >= RATES.least && rate <= RATES.most) return;
  throw new Problem(`${name} has a sample rate of ${rate} Hz; this page accepts 8,000 to 384,000 Hz: convert the file.`);
}

/** Return duration and presence of a picture from the head of a file; an empty object for unknown formats. */
function probe(file) {
  return new Promise((resolve) => {
    const video = document.createElement("video");
    const address = URL.createObjectURL(file);
    const end = (found) => {
      clearTimeout(timer);
      video.removeAttribute("src");
      URL.revokeObjectURL(address);
      resolve(found);
    };
    const timer = setTimeout(() => end({}), 5000);
    video.preload = "metadata";
    video.onloadedmetadata = () =>
      end({ seconds: Number.isFinite(video.duration) ? video.duration : 0, picture: video.videoWidth > 0 });
    video.onerror = () => end({});
    video.src = address;
  });
}

function decode(buffer, rate) {
  return new OfflineAudioContext(1, 1, rate).decodeAudioData(buffer);
}

/** Return the mean of the channels. */
function mixed(audio) {
  const samples = new Float32Array(audio.length);
  for (let channel = 0; channel < audio.numberOfChannels; channel++) {
    const data = audio.getChannelData(channel);
    for (let k = 0; k < samples.length; k++) samples[k] += data[k] / audio.numberOfChannels;
  }
  return samples;
}
