// Operations on typed arrays.

/** Concatenate float32 arrays. */
export function joined(parts) {
  if (parts.length === 1) return parts[0];
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Return the largest magnitude of an array, 0 for an empty array. */
export function peak(samples) {
  let largest = 0;
  for (let k = 0; k < samples.length; k++) {
    const magnitude = Math.abs(samples[k]);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}
