// Slider from near over both to far: gains of the stems for each position, and its description in words.

const QUIETEST = 40; // dB: attenuation of a stem just before the end of the slider, which mutes it

/** Return the gains of near and far for a position from -1 (near alone) over 0 (both) to 1 (far alone). */
export function gainsAt(place) {
  return { near: faded(place), far: faded(-place) };
}

function faded(amount) {
  if (amount <= 0) return 1;
  return amount >= 1 ? 0 : 10 ** ((-QUIETEST * amount) / 20);
}

/** Return a description of a position. */
export function placeInWords(place) {
  if (place <= -1) return "near only";
  if (place >= 1) return "far only";
  if (place === 0) return "near and far";
  const decibels = Math.round(QUIETEST * Math.abs(place));
  return place < 0 ? `far ${decibels} decibels quieter` : `near ${decibels} decibels quieter`;
}

/** Return a time as minutes and seconds: "1:05", "1:00:05". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Return a time for screen readers: "1 minute 5 seconds". */
export function timeInWords(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const counted = (value, unit) => (value ? `${value} ${unit}${value === 1 ? "" : "s"}` : "");
  const parts = [counted(Math.floor(whole / 60), "minute"), counted(whole % 60, "second")].filter(Boolean);
  return parts.join(" ") || "0 seconds";
}
