// The cut: a handle on the curve of the scores, and what it means on pictures that raters judged.
const Z = 1.959964;  // as feedback/statistics.py
const number = (n) => n.toLocaleString("en");

// How many of the sorted scores (lowest first) are above a cut.
function above(sorted, cut) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] > cut) high = middle; else low = middle + 1;
  }
  return sorted.length - low;
}

// As Python rounds: halves to the even number.
function percent(share) {
  const value = 100 * share, floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

// A share with its 95 % Wilson interval.
function shareWords(part, whole) {
  if (!whole) return "none";
  const p = part / whole, z2 = Z * Z, centre = (p + z2 / (2 * whole)) / (1 + z2 / whole);
  const half = Z * Math.sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole)) / (1 + z2 / whole);
  return `${percent(p)} % (${percent(Math.max(0, centre - half))}–${percent(Math.min(1, centre + half))})`;
}

// The sentence of HeldOut.words in feedback/exchange/sorting/held_out.py; a test compares them.
function meaning(kept, rejected, cut) {
  const n = kept.length + rejected.length;
  if (!n) return "no held-out picture has a verdict, so what raters would say of the flagged ones is not known";
  const good = above(kept, cut), bad = above(rejected, cut), flagged = good + bad;
  if (!flagged) return `on ${plural(n, "held-out picture")} it flags none; raters rejected ${number(rejected.length)} of them`;
  return `on ${plural(n, "held-out picture")}: of what it flags, raters rejected ${shareWords(bad, flagged)}; it flags ${shareWords(bad, rejected.length)} of what they reject`;
}

class Cut {
  // `changed` is called with the number of flagged pictures after each move.
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.scores = [];
    this.held = { kept: [], rejected: [] };
    this.cut = null;
    this.strip = root.querySelector(".strip");
    this.handle = root.querySelector(".handle");
    this.strip.addEventListener("pointerdown", (event) => this.take(event));
    this.strip.addEventListener("pointermove", (event) => this.strip.hasPointerCapture(event.pointerId) && this.drag(event));
    this.handle.addEventListener("keydown", (event) => this.key(event));
  }

  // From worst to best. The cut is a score, so it stays where it is while more pictures are scored.
  show(scores) {
    this.scores = scores;
    this.draw();
  }

  get flagged() {
    if (this.cut === null) return 0;
    let low = 0, high = this.scores.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.scores[middle] > this.cut) low = middle + 1; else high = middle;
    }
    return low;
  }

  // Flags the worst so many; of pictures with equal scores at its edge, none.
  flag(count) {
    const n = this.scores.length, wanted = Math.min(n, Math.max(0, count));
    if (!n) return;
    this.cut = wanted < n ? this.scores[wanted] : this.scores[n - 1] - 1e-9 - Math.abs(this.scores[n - 1]) * 1e-9;
    this.draw();
  }

  take(event) {
    this.strip.setPointerCapture(event.pointerId);
    this.handle.focus({ preventScroll: true });
    this.drag(event);
    event.preventDefault();
  }

  drag(event) {
    const box = this.strip.getBoundingClientRect();
    this.flag(Math.round((event.clientX - box.left) / box.width * this.scores.length));
  }

  key(event) {
    const n = this.scores.length, page = Math.max(1, Math.round(n / 20)), now = this.flagged;
    const to = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1,
      PageDown: now - page, PageUp: now + page, Home: 0, End: n }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.flag(to);
    // Pictures with equal scores are flagged together: the next step goes past them.
    for (let further = to + 1; this.flagged === now && to > now && further <= n; further++) this.flag(further);
  }

  draw() {
    const n = this.scores.length, flagged = this.flagged, x = n ? 1000 * flagged / n : 0;
    const [bad, good] = [this.root.querySelector(".rejected"), this.root.querySelector(".good")];
    good.setAttribute("points", this.area(0, 1000));
    bad.setAttribute("points", this.area(0, x));
    this.handle.style.left = `${x / 10}%`;
    this.handle.ariaValueMax = String(n);
    this.handle.ariaValueNow = String(flagged);
    this.handle.ariaValueText = `${number(flagged)} of ${plural(n, "picture")} flagged`;
    this.root.querySelector(".count").textContent = this.cut === null ? "" : `cut at ${this.cut.toPrecision(3)}`;
    this.root.querySelector(".share").textContent = `${number(flagged)} of ${plural(n, "picture")} flagged`;
    this.root.querySelector(".words").textContent = this.cut === null || !n ? "" : sentence(meaning(this.held.kept, this.held.rejected, this.cut));
    this.changed(flagged);
  }

  // The scores between two places of the strip, as a polygon: a fifth of the height is below the best one.
  area(from, to) {
    const n = this.scores.length;
    if (!n || to <= from) return "";
    const high = this.scores[0], low = this.scores[n - 1], height = high - low || 1, points = [`${from},100`];
    for (let step = 0; step <= 200; step++) {
      const x = from + (to - from) * step / 200, place = Math.min(n - 1, Math.floor(x / 1000 * n));
      points.push(`${x.toFixed(1)},${(95 - 75 * (this.scores[place] - low) / height - 5).toFixed(1)}`);
    }
    return [...points, `${to},100`].join(" ");
  }
}

function sentence(words) { return `${words[0].toUpperCase()}${words.slice(1)}.`; }
