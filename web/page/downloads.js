// Downloads of near, far and their mix.

/** Offer a file to the visitor under a name. */
export function offer(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Return the name of a stem's file: "meeting.near.wav" for "meeting.mp3". */
export function stemName(name, stem) {
  return `${name.replace(/\.[^.]+$/, "")}.${stem}.wav`;
}
