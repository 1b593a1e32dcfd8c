// Near, far and what is heard, as files.

/** Offer a file to the visitor under a name. */
export function offer(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** "meeting.near.wav" of "meeting.mp3". */
export function stemName(name, stem) {
  return `${name.replace(/\.[^.]+$/, "")}.${stem}.wav`;
}
