// Many pictures at once. The rater picks the bad ones; Enter rejects those and keeps the rest, with one vote for each
// picture. Has the same methods as one.js.
import { actionOf } from "./keys.js";
import { newId } from "./outbox.js";
import { Peek } from "./peek.js";
import { commonBeginning, writePrompt } from "./prompts.js";
import { recall, remember } from "./storage.js";

const SIZE = "naysayer.sweep";
const CHOICES = "naysayer.sweep.rejected.";
const MAX_CHOICES = 200;
const GAP_PX = 6;
const LINE_PX = 16; // of a caption
const CAPTION_GAP_PX = 5;
const CHARACTER_PX = 6.4;
const WRAPPED = 3; // characters of a line that the next word leaves empty, on average
const MOST_LINES = 3;
const MORE_LINES = 3; // where they make no picture smaller
const CROWDED = 16; // more pictures get a line less
const LEAST_PX = 24;
const LEAST_CAPTIONED_PX = 64; // no caption can be read under a smaller picture
const GROUPS = "naysayer.sweep.groups";

export class SweepMode {
  name = "sweep";
  pinned = 0; // stay even when another tab votes on them

  constructor(page) {
    this.page = page;
    this.grid = page.$(".grid");
    this.rejected = new Set(); // picture ids
    this.cells = new Map(); // picture -> its button
    this.focused = 0; // place in the grid
    this.anchor = null; // place where a range starts
    const { sweepSizes, sweepSize } = page.limits;
    const size = Number(recall(SIZE));
    this.size = sweepSizes.includes(size) ? size : sweepSize;
    this.peek = new Peek(page);
    this.isGrouped = recall(GROUPS) === "yes";
    const group = page.$("[data-tool=group]");
    group.setAttribute("aria-pressed", this.isGrouped);
    group.addEventListener("click", () => this.toggleGroups(group));
    this.painted = new IntersectionObserver((entries) => this.onPainted(entries), { threshold: 0.5 });
    this.addSizes(sweepSizes);
  }

  addSizes(sizes) {
    const select = this.page.$(".size");
    select.replaceChildren(...sizes.map((size) => new Option(String(size), size, false, size === this.size)));
    select.addEventListener("change", () => {
      this.size = Number(select.value);
      remember(SIZE, select.value);
      select.blur();
      this.page.show();
      this.page.queue.refill();
    });
  }

  /** Brings back what this rater picked before a reload or a look at another page. */
  open() {
    try {
      this.rejected = new Set(JSON.parse(recall(CHOICES + this.page.rater)));
    } catch {
      this.rejected = new Set();
    }
  }

  choose(isReject, pictures) {
    for (const { id } of pictures) this.rejected[isReject ? "add" : "delete"](id);
    remember(CHOICES + this.page.rater, JSON.stringify([...this.rejected].slice(-MAX_CHOICES)));
  }

  get wanted() {
    return 2 * this.size;
  }

  get near() {
    return this.size;
  }

  get ahead() {
    return 2 * this.size;
  }

  get pictures() {
    const pictures = this.page.queue.pictures.slice(0, this.size);
    if (!this.isGrouped) return pictures;
    const prompts = [...new Set(pictures.map(({ prompt }) => prompt))];
    return prompts.flatMap((prompt) => pictures.filter((picture) => picture.prompt === prompt));
  }

  toggleGroups(button) {
    this.isGrouped = !this.isGrouped;
    remember(GROUPS, this.isGrouped ? "yes" : "no");
    button.setAttribute("aria-pressed", this.isGrouped);
    [this.focused, this.anchor] = [0, null];
    this.page.show();
  }

  /** Only a picture that the browser says it painted may be voted on. */
  onPainted(entries) {
    for (const { target, isIntersecting } of entries) {
      const picture = this.pictures.find((picture) => this.cells.get(picture) === target);
      if (!isIntersecting || !picture?.isReady) continue;
      picture.shownAt ??= Date.now();
      target.dataset.painted = "yes";
    }
  }

  /** What this key does; undefined for a key without an action. */
  key(event) {
    const isOnButton = event.composedPath()[0].closest?.("button:not(.cell), select, a");
    return {
      pick: () => this.pick(this.focused, event.shiftKey),
      undo: () => this.page.undo(),
      submit: isOnButton ? undefined : () => this.submit(),
      left: () => this.focus(this.focused - 1),
      right: () => this.focus(this.focused + 1),
      up: () => this.focus(this.focused - this.columns),
      down: () => this.focus(this.focused + this.columns),
    }[actionOf(this.page.keys.sweep, event)];
  }

  focus(place) {
    this.focused = Math.max(0, Math.min(place, this.pictures.length - 1));
    this.show();
    this.cells.get(this.pictures[this.focused])?.focus();
  }

  /** Rejects a picture, or keeps it after all. As a range: every picture since the last pick gets what that one has. */
  pick(place, isRange) {
    const pictures = this.pictures;
    if (!pictures[place]) return;
    const from = isRange && this.anchor !== null ? this.anchor : place;
    const isReject = from === place ? !this.rejected.has(pictures[place].id) : this.rejected.has(pictures[from]?.id);
    this.choose(isReject, pictures.slice(Math.min(from, place), Math.max(from, place) + 1));
    [this.anchor, this.focused] = [place, place];
    this.page.status.announce(`${pictures[place].prompt}: ${isReject ? "rejected" : "kept"}`);
    this.show();
  }

  submit() {
    const seen = this.pictures.filter((picture) => picture.isBroken || (picture.isReady && picture.shownAt));
    if (!seen.length) return;
    const batch = newId();
    for (const picture of seen) this.page.vote(this.verdictOn(picture), picture, batch);
    const rejected = seen.filter(({ id }) => this.rejected.has(id)).length;
    this.choose(false, seen);
    [this.focused, this.anchor] = [0, null];
    this.page.settle();
    const kept = seen.length - rejected;
    this.page.status.announce(`${rejected} rejected, ${kept} kept. Pictures to come: ${this.pictures.length}.`);
  }

  verdictOn(picture) {
    if (picture.isBroken) return "skip";
    return this.rejected.has(picture.id) ? "reject" : "keep";
  }

  /** Prepares for a vote that is being undone: a rejected picture comes back as one. */
  restore({ picture, verdict }) {
    if (verdict === "reject") this.choose(true, [picture]);
  }

  show() {
    const pictures = this.pictures;
    const cells = pictures.map((picture, place) => this.cell(picture, place));
    this.writeCaptions(pictures);
    for (const [picture, cell] of this.cells) if (!pictures.includes(picture)) this.removeCell(picture, cell);
    if (cells.some((cell, place) => this.grid.children[place] !== cell) || this.grid.children.length > cells.length)
      this.grid.replaceChildren(...cells);
    this.fit();
    const rejected = pictures.filter(({ id }) => this.rejected.has(id)).length;
    this.page.$(".submit span").textContent = `Reject ${rejected}, keep ${pictures.length - rejected}`;
    this.page.$(".submit").disabled = !pictures.length;
    this.page.promptLine.write(pictures[this.focused]);
  }

  /** Under each picture what its prompt has for itself; the whole prompt of one picture stands above the grid. */
  writeCaptions(pictures) {
    this.common = commonBeginning(pictures.map(({ prompt }) => prompt));
    this.captionLength = Math.max(0, ...pictures.map(({ prompt }) => prompt.length - this.common));
    pictures.forEach((picture, place) => {
      const caption = this.cells.get(picture).querySelector("span");
      const isSame = this.isGrouped && pictures[place - 1]?.prompt === picture.prompt;
      caption.classList.toggle("same", isSame);
      if (isSame) caption.textContent = "same prompt";
      else writePrompt(caption, picture, Math.min(this.common, picture.prompt.length - (picture.unread ?? "").length));
    });
  }

  cell(picture, place) {
    const cell = this.cells.get(picture) ?? this.newCell(picture);
    cell.setAttribute("aria-pressed", this.rejected.has(picture.id));
    cell.classList.toggle("focused", place === this.focused);
    cell.tabIndex = place === this.focused ? 0 : -1;
    if (picture.img.parentNode !== cell) {
      cell.querySelector("img")?.remove();
      picture.img.removeAttribute("style");
      cell.prepend(picture.img);
    }
    if (picture.isReady && !cell.dataset.watched) {
      cell.dataset.watched = "yes";
      this.painted.observe(cell);
    }
    return cell;
  }

  newCell(picture) {
    const cell = document.createElement("button");
    const [caption, stamp] = [document.createElement("span"), document.createElement("b")];
    cell.type = "button";
    cell.className = "cell";
    cell.setAttribute("aria-label", picture.prompt);
    caption.setAttribute("aria-hidden", "true");
    stamp.setAttribute("aria-hidden", "true");
    cell.append(stamp, caption);
    this.peek.listen(cell, picture, (event) => this.pick(this.pictures.indexOf(picture), event.shiftKey));
    cell.addEventListener("pointerenter", () => this.page.promptLine.write(picture));
    cell.addEventListener("pointerleave", () => this.page.promptLine.write(this.pictures[this.focused]));
    cell.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
    this.cells.set(picture, cell);
    return cell;
  }

  removeCell(picture, cell) {
    this.painted.unobserve(cell);
    this.cells.delete(picture);
  }

  /** As many columns as make the pictures largest while all of them stay on screen, with room for their captions. */
  fit() {
    const { columns, px, lines } = this.layout();
    this.columns = columns;
    this.grid.style.gridTemplateColumns = `repeat(${columns}, ${px}px)`;
    this.grid.style.setProperty("--side", `${px}px`);
    this.grid.style.setProperty("--caption-lines", lines);
    for (const { img } of this.pictures) img.style.imageRendering = img.naturalWidth < px ? "pixelated" : "auto";
  }

  /** The fewest lines of captions that hold every prompt, or as many as there may be. */
  layout() {
    const most = this.pictures.length > CROWDED ? MOST_LINES - 1 : MOST_LINES;
    const choices = Array.from({ length: most + MORE_LINES }, (_, place) => this.columnsFor(place + 1));
    const allowed = choices.filter(({ lines, px }) => lines <= most || px === choices[most - 1].px);
    const hasRoom = ({ lines, px }) => this.captionLength * CHARACTER_PX <= lines * (px - WRAPPED * CHARACTER_PX);
    const found = allowed.find(hasRoom) ?? allowed.at(-1);
    return found.px < LEAST_CAPTIONED_PX ? this.columnsFor(0) : found;
  }

  /** The best number of columns with captions of so many lines, and how wide a picture is then. */
  columnsFor(lines) {
    const { width, height } = this.page.room ?? { width: 0, height: 0 };
    const count = this.pictures.length;
    const side = (columns) => {
      const rows = Math.ceil(count / columns);
      const [w, h] = [(width - GAP_PX * (columns + 1)) / columns, (height - GAP_PX * (rows + 1)) / rows];
      return Math.min(w, h - lines * LINE_PX - CAPTION_GAP_PX);
    };
    const choices = Array.from({ length: count }, (_, place) => place + 1);
    const columns = choices.reduce((best, columns) => (side(columns) > side(best) ? columns : best), 1);
    return { columns, lines, px: Math.max(LEAST_PX, Math.floor(side(columns))) };
  }

  leave() {
    for (const [picture, cell] of this.cells) this.removeCell(picture, cell);
    this.grid.replaceChildren();
  }

  stop() {
    this.painted.disconnect();
  }
}
