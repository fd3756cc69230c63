// Many pictures at once: the bad ones are picked out, Enter rejects those and keeps the rest, each by a vote of its own.
const SIZES = [4, 9, 12, 16, 25, 36];
const SIZE = "naysayer.sweep";
const GAP_PX = 6;
const CAPTION_PX = 22;

class Sweep {
  constructor(desk) {
    this.desk = desk;
    this.box = desk.$(".grid");
    this.bad = new Set(); // ids
    this.cells = new Map(); // picture -> its button
    this.at = 0;
    this.anchor = null;
    const size = Number(recall(SIZE));
    this.size = SIZES.includes(size) ? size : 12;
    this.seeing = new IntersectionObserver((entries) => this.see(entries), { threshold: 0.5 });
    this.addSizes();
  }

  addSizes() {
    const select = this.desk.$(".size");
    select.replaceChildren(...SIZES.map((size) => new Option(String(size), size, false, size === this.size)));
    select.addEventListener("change", () => {
      this.size = Number(select.value);
      remember(SIZE, select.value);
      select.blur();
      this.desk.show();
      this.desk.hand.refill();
    });
  }

  get images() {
    return this.desk.hand.queue.slice(0, this.size);
  }

  /** What was painted on screen, by the browser's own word, may be voted on. */
  see(entries) {
    for (const { target, isIntersecting } of entries) {
      const image = this.images.find((image) => this.cells.get(image) === target);
      if (isIntersecting && image?.isReady) image.shownAt ??= Date.now();
    }
  }

  actOf(event) {
    const key = event.key.toLowerCase();
    const isElsewhere = event.composedPath()[0].closest?.("button:not(.cell), select, a");
    const steps = { arrowleft: -1, arrowright: 1, arrowup: -this.columns, arrowdown: this.columns };
    if (key === "x") return () => this.pick(this.at, event.shiftKey);
    if (key === "u") return () => this.desk.act("undo");
    if (key === "enter" && !isElsewhere) return () => this.submit();
    if (steps[key]) return () => this.go(this.at + steps[key]);
    return undefined;
  }

  go(place) {
    this.at = Math.max(0, Math.min(place, this.images.length - 1));
    this.show();
    this.cells.get(this.images[this.at])?.focus();
  }

  /** Turns one picture over; with Shift all from the one before get what that one has. */
  pick(place, isRange) {
    const images = this.images;
    if (!images[place]) return;
    const from = isRange && this.anchor !== null ? this.anchor : place;
    const isBad = from === place ? !this.bad.has(images[place].id) : this.bad.has(images[from]?.id);
    for (const { id } of images.slice(Math.min(from, place), Math.max(from, place) + 1))
      this.bad[isBad ? "add" : "delete"](id);
    [this.anchor, this.at] = [place, place];
    this.desk.words.aloud(`${images[place].prompt}: ${isBad ? "rejected" : "kept"}`);
    this.show();
  }

  submit() {
    const together = newId();
    const seen = this.images.filter((image) => image.isBroken || (image.isReady && image.shownAt));
    for (const image of seen) this.desk.vote(this.verdictOn(image), image, { page: "sweep" }, together);
    if (!seen.length) return;
    const rejected = seen.filter(({ id }) => this.bad.has(id)).length;
    for (const { id } of seen) this.bad.delete(id);
    [this.at, this.anchor] = [0, null];
    this.desk.settle();
    this.desk.words.aloud(`${rejected} rejected, ${seen.length - rejected} kept. ${this.images.length} more pictures.`);
  }

  verdictOn(image) {
    if (image.isBroken) return "skip";
    return this.bad.has(image.id) ? "reject" : "keep";
  }

  // ---- what is seen ------------------------------------------------------------------------------------------

  show() {
    const images = this.images;
    const cells = images.map((image, place) => this.cell(image, place));
    for (const [image, cell] of this.cells) if (!images.includes(image)) this.letGo(image, cell);
    if (cells.some((cell, place) => this.box.children[place] !== cell) || this.box.children.length > cells.length)
      this.box.replaceChildren(...cells);
    this.fit();
    const rejected = images.filter(({ id }) => this.bad.has(id)).length;
    this.desk.$(".submit span").textContent = `Reject ${rejected}, keep ${images.length - rejected}`;
    this.desk.$(".submit").disabled = !images.length;
    this.desk.$(".prompt").textContent = images[this.at]?.prompt ?? "";
  }

  cell(image, place) {
    const cell = this.cells.get(image) ?? this.made(image);
    const isBad = this.bad.has(image.id);
    cell.setAttribute("aria-pressed", isBad);
    cell.classList.toggle("at", place === this.at);
    cell.tabIndex = place === this.at ? 0 : -1;
    if (image.img.parentNode !== cell) {
      cell.querySelector("img")?.remove();
      image.img.removeAttribute("style");
      cell.prepend(image.img);
    }
    if (image.isReady && !cell.dataset.watched) {
      cell.dataset.watched = "yes";
      this.seeing.observe(cell);
    }
    return cell;
  }

  made(image) {
    const cell = document.createElement("button");
    const [caption, stamp] = [document.createElement("span"), document.createElement("b")];
    cell.type = "button";
    cell.className = "cell";
    cell.title = image.prompt;
    caption.textContent = image.prompt;
    caption.setAttribute("aria-hidden", "true");
    stamp.textContent = "✕ Reject";
    stamp.setAttribute("aria-hidden", "true");
    cell.append(stamp, caption);
    cell.addEventListener("click", (event) => this.pick(this.images.indexOf(image), event.shiftKey));
    cell.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
    this.cells.set(image, cell);
    return cell;
  }

  letGo(image, cell) {
    this.seeing.unobserve(cell);
    this.cells.delete(image);
  }

  leave() {
    for (const [image, cell] of this.cells) this.letGo(image, cell);
    this.box.replaceChildren();
  }

  /** As many columns as make the pictures largest, all of them on screen. */
  fit() {
    const { width, height } = this.desk.stage.getBoundingClientRect();
    const count = this.images.length;
    const side = (columns) => {
      const rows = Math.ceil(count / columns);
      const [w, h] = [(width - GAP_PX * (columns + 1)) / columns, (height - GAP_PX * (rows + 1)) / rows];
      return Math.min(w, h - CAPTION_PX);
    };
    const choices = Array.from({ length: count }, (_, place) => place + 1);
    this.columns = choices.reduce((best, columns) => (side(columns) > side(best) ? columns : best), 1);
    const px = Math.max(24, Math.floor(side(this.columns)));
    this.box.style.gridTemplateColumns = `repeat(${this.columns}, ${px}px)`;
    this.box.style.setProperty("--side", `${px}px`);
    for (const { img } of this.images) img.style.imageRendering = img.naturalWidth < px ? "pixelated" : "auto";
  }

  stop() {
    this.seeing.disconnect();
  }
}
