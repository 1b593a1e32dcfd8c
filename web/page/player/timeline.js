// Timeline of the speech: a lane for each stem, aligned with the spectrograms.

/** Return the timeline of `spans`, lists of [begin, end] in seconds by stem, for a recording of `seconds`. */
export function timeline(spans, seconds) {
  const row = box("player-timeline");
  const lanes = box("player-lanes");
  const names = box("player-legend");
  const spoken = [];
  for (const [stem, found] of Object.entries(spans)) {
    const lane = box("player-lane");
    let sum = 0;
    for (const [begin, end] of found) {
      const bar = box(`player-speaks-${stem}`);
      bar.style.left = `${(100 * begin) / seconds}%`;
      bar.style.width = `${(100 * (end - begin)) / seconds}%`;
      lane.append(bar);
      sum += end - begin;
    }
    lanes.append(lane);
    const name = box(`player-speaks-${stem}`);
    name.textContent = `${stem} speaks`;
    names.append(name);
    spoken.push(`${stem} ${Math.round((100 * sum) / seconds)} %`);
  }
  lanes.setAttribute("role", "img");
  lanes.setAttribute("aria-label", `Who speaks when: ${spoken.join(", ")} of the time`);
  row.append(lanes, names);
  return row;
}

function box(name) {
  const made = document.createElement("div");
  made.className = name;
  return made;
}
