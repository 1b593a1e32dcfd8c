// What a visitor gives: a file of any kind as samples of one channel, or as a WAV that is read in blocks.

import { clock } from "../player/mixing.js";
import { Problem } from "../problem.js";
import { statedRate } from "./rate.js";
import { wavHead } from "./wav.js";

export const LONGEST_WAV = 60 * 60; // seconds: what a tab's memory holds of a recording and its two stems
export const LONGEST_DECODED = 30 * 60; // the browser decodes the others as a whole
const LARGEST = 600e6; // bytes, where the length is not stated
const RATES = { least: 8000, most: 384_000 };
const COMMAND = "the command `dss separate` takes any length";

/**
 * Open a file.
 *
 * Returns `{ name, rate, length, channels, file }` for a WAV, and `samples` instead of `file` for others: float32, one
 * channel. Raises `Problem` with one sentence for what cannot be separated.
 */
export async function openFile(file) {
  const name = file.name || "The recording";
  const head = await wavHead(file).catch(() => {
    throw new Problem(`${name} cannot be read: has it been moved or deleted?`);
  });
  if (head) {
    checkLength(name, head.frames / head.rate, LONGEST_WAV);
    checkRate(name, head.rate);
    return { name, rate: head.rate, length: head.frames, channels: head.channels, file };
  }
  if (file.size === 0) throw new Problem(`${name} is empty.`);
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
        ? `${name} is a video without sound, or with sound that this browser cannot decode.`
        : `${name} is nothing that this browser can decode as sound.`,
    );
  }
  checkLength(name, decoded.length / rate, LONGEST_DECODED);
  return { name, rate, length: decoded.length, channels: decoded.numberOfChannels, samples: mixed(decoded) };
}

function checkLength(name, seconds, longest) {
  if (!(seconds > 0)) throw new Problem(`${name} holds no sound.`);
  if (seconds > longest) {
    throw new Problem(`${name} lasts ${clock(seconds)}, and this page takes ${longest / 60} minutes; ${COMMAND}.`);
  }
}

function checkRate(name, rate) {
  if (rate >= RATES.least && rate <= RATES.most) return;
  throw new Problem(`${name} has a sample rate of ${rate} Hz; this page takes 8,000 to 384,000 Hz.`);
}

/** Length and picture of a file, from its head alone; nothing where the browser does not know it. */
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

/** The mean of the channels. */
function mixed(audio) {
  const samples = new Float32Array(audio.length);
  for (let channel = 0; channel < audio.numberOfChannels; channel++) {
    const data = audio.getChannelData(channel);
    for (let k = 0; k < samples.length; k++) samples[k] += data[k] / audio.numberOfChannels;
  }
  return samples;
}
