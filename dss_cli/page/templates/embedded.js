// Players of the recordings inside the page; a recording is decoded when it comes into view.

const DECODER_DELAY = 1105; // samples of silence before an MP3 for decoders that ignore its header
const MP3_FRAME = 576; // samples, below 32 kHz
const players = [];
let sound = null; // audio context of all players

function soundOf(rate) {
  if (sound?.sampleRate !== rate) sound = new AudioContext({ sampleRate: rate });
  return sound;
}

function bytesOf(base64) {
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes.buffer;
}

async function decoded(base64, rate, length) {
  const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytesOf(base64));
  const samples = buffer.getChannelData(0);
  return samples.subarray(samples.length - length > MP3_FRAME ? DECODER_DELAY : 0).subarray(0, length);
}

/** Decode the parts of all tracks in order; playback can begin after the first part. */
async function fill(player, tracks, { rate, length, segment, lead, gain }) {
  const parts = tracks.map((track) => track.textContent.trim().split(/\s+/));
  for (let at = 0, k = 0; at < length; at += segment, k++) {
    const wanted = Math.min(segment, length - at);
    const sounds = await Promise.all(parts.map((some) => decoded(some[k], rate, wanted + 2 * lead)));
    for (const [number, sound] of sounds.entries()) {
      const piece = new Float32Array(wanted);
      piece.set(sound.subarray(lead, lead + wanted));
      player.append(tracks[number].dataset.track, gain === 1 ? piece : piece.map((value) => gain * value));
      await new Promise((next) => setTimeout(next)); // keeps the page responsive
    }
  }
}

function begin(home) {
  const options = JSON.parse(home.dataset.options);
  const { rate, length, spans } = options;
  const tracks = [...home.querySelectorAll("script")];
  const titles = Object.fromEntries(tracks.map(({ dataset }) => [dataset.track, dataset.title]));
  const place = home.querySelector("div");
  const player = new Player(place, rate, length, () => soundOf(rate), { titles, spans });
  players.push(player);
  player.playback.addEventListener("state", ({ detail }) => {
    if (detail === "playing") for (const other of players) if (other !== player) other.playback.pause();
  });
  fill(player, tracks, options).then(
    () => (home.dataset.state = "ready"),
    () => {
      player.close();
      place.className = "alert";
      place.textContent = "This browser cannot decode the sound of this page.";
    },
  );
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      begin(target);
    }
  },
  { rootMargin: "100%" },
);
for (const home of document.querySelectorAll(".embedded")) seen.observe(home);

document.addEventListener("click", ({ target }) => {
  const { seek } = target.dataset ?? {};
  if (seek !== undefined) players[0]?.seekTo(Number(seek));
});
