// Many pictures at once. The rater picks the bad ones; Enter rejects those and keeps the rest, with one vote for each
// picture. Has the same methods as one.js.
import { actionOf } from "./keys.js";
import { newId } from "./outbox.js";
import { writePrompt } from "./status.js";
import { recall, remember } from "./storage.js";

const SIZE = "naysayer.sweep";
const GAP_PX = 6;
const CAPTION_PX = 22;
const LEAST_PX = 24;

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
    return this.page.queue.pictures.slice(0, this.size);
  }

  /** Only a picture that the browser says it painted may be voted on. */
  onPainted(entries) {
    for (const { target, isIntersecting } of entries) {
      const picture = this.pictures.find((picture) => this.cells.get(picture) === target);
      if (isIntersecting && picture?.isReady) picture.shownAt ??= Date.now();
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
    for (const { id } of pictures.slice(Math.min(from, place), Math.max(from, place) + 1))
      this.rejected[isReject ? "add" : "delete"](id);
    [this.anchor, this.focused] = [place, place];
    this.page.status.announce(`${pictures[place].prompt}: ${isReject ? "rejected" : "kept"}`);
    this.show();
  }

  submit() {
    const seen = this.pictures.filter((picture) => picture.isBroken || (picture.isReady && picture.shownAt));
    if (!seen.length) return;
    const batch = newId();
    for (const picture of seen) this.page.vote(this.verdictOn(picture), picture, { page: this.name }, batch);
    const rejected = seen.filter(({ id }) => this.rejected.has(id)).length;
    for (const { id } of seen) this.rejected.delete(id);
    [this.focused, this.anchor] = [0, null];
    this.page.settle();
    const kept = seen.length - rejected;
    this.page.status.announce(`${rejected} rejected, ${kept} kept. ${this.pictures.length} more pictures.`);
  }

  verdictOn(picture) {
    if (picture.isBroken) return "skip";
    return this.rejected.has(picture.id) ? "reject" : "keep";
  }

  /** Prepares for a vote that is being undone: a rejected picture comes back as one. */
  restore({ picture, verdict }) {
    if (verdict === "reject") this.rejected.add(picture.id);
  }

  show() {
    const pictures = this.pictures;
    const cells = pictures.map((picture, place) => this.cell(picture, place));
    for (const [picture, cell] of this.cells) if (!pictures.includes(picture)) this.removeCell(picture, cell);
    if (cells.some((cell, place) => this.grid.children[place] !== cell) || this.grid.children.length > cells.length)
      this.grid.replaceChildren(...cells);
    this.fit();
    const rejected = pictures.filter(({ id }) => this.rejected.has(id)).length;
    this.page.$(".submit span").textContent = `Reject ${rejected}, keep ${pictures.length - rejected}`;
    this.page.$(".submit").disabled = !pictures.length;
    writePrompt(this.page.$(".prompt"), pictures[this.focused]);
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
    cell.title = picture.prompt;
    writePrompt(caption, picture);
    caption.setAttribute("aria-hidden", "true");
    stamp.textContent = "✕ Reject";
    stamp.setAttribute("aria-hidden", "true");
    cell.append(stamp, caption);
    cell.addEventListener("click", (event) => this.pick(this.pictures.indexOf(picture), event.shiftKey));
    cell.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
    this.cells.set(picture, cell);
    return cell;
  }

  removeCell(picture, cell) {
    this.painted.unobserve(cell);
    this.cells.delete(picture);
  }

  /** As many columns as make the pictures largest while all of them stay on screen. */
  fit() {
    const { width, height } = this.page.stage.getBoundingClientRect();
    const count = this.pictures.length;
    const side = (columns) => {
      const rows = Math.ceil(count / columns);
      const [w, h] = [(width - GAP_PX * (columns + 1)) / columns, (height - GAP_PX * (rows + 1)) / rows];
      return Math.min(w, h - CAPTION_PX);
    };
    const choices = Array.from({ length: count }, (_, place) => place + 1);
    this.columns = choices.reduce((best, columns) => (side(columns) > side(best) ? columns : best), 1);
    const px = Math.max(LEAST_PX, Math.floor(side(this.columns)));
    this.grid.style.gridTemplateColumns = `repeat(${this.columns}, ${px}px)`;
    this.grid.style.setProperty("--side", `${px}px`);
    for (const { img } of this.pictures) img.style.imageRendering = img.naturalWidth < px ? "pixelated" : "auto";
  }

  leave() {
    for (const [picture, cell] of this.cells) this.removeCell(picture, cell);
    this.grid.replaceChildren();
  }

  stop() {
    this.painted.disconnect();
  }
}
