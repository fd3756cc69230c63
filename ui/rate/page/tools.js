// What a rater may add to a vote on a single picture (reasons, marks), and how the picture is looked at (zoom, blur).
// None of it ever holds up a vote.
const REASONS = [
  "hands", "anatomy", "text", "colour", "prompt not followed", "artefact", "composition", "unsafe", "other",
];
const MOST_MARKS = 50;
const BLUR = "naysayer.blur";
const TAP_PX = 10; // a finger that moved less has tapped
const SWIPE_PX = 64;

class Tools {
  constructor(desk) {
    this.desk = desk;
    this.glass = desk.$(".glass");
    this.reasons = new Set();
    this.marks = [];
    this.isBlurring = recall(BLUR) === "yes";
    for (const [place, reason] of REASONS.entries()) this.addReason(place + 1, reason);
    this.listen();
    this.show();
  }

  addReason(number, reason) {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = number;
    button.type = "button";
    button.append(key, reason);
    button.dataset.reason = reason;
    button.setAttribute("aria-keyshortcuts", number);
    button.addEventListener("click", () => this.toggle(reason));
    this.desk.$(".reasons").append(button);
  }

  listen() {
    const on = (kind, act) => this.glass.addEventListener(kind, act);
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", () => this.letGo());
    this.desk.$("[data-tool=zoom]").addEventListener("click", () => this.zoom());
    this.desk.$("[data-tool=blur]").addEventListener("click", () => this.blur());
  }

  /** What this key does in this mode; nothing for a key that is not ours. */
  actOf(event) {
    if (/^[1-9]$/.test(event.key)) return () => this.toggle(REASONS[event.key - 1]);
    return { z: () => this.zoom(), b: () => this.blur(), " ": this.isVeiled ? () => this.unveil() : undefined }[
      event.key.toLowerCase()
    ];
  }

  toggle(reason) {
    if (!this.desk.current) return;
    if (!this.reasons.delete(reason)) this.reasons.add(reason);
    this.desk.words.aloud(`${reason}: ${this.reasons.has(reason) ? "on" : "off"}`);
    this.show();
  }

  /** The reasons and marks given so far, for the vote; the next picture begins without any. */
  take() {
    const taken = { reasons: [...this.reasons], marks: this.marks };
    this.clear();
    return taken;
  }

  clear() {
    this.reasons = new Set();
    this.marks = [];
    this.desk.stage.classList.remove("zoomed");
    this.show();
  }

  /** A new picture is on screen. */
  begin() {
    this.isVeiled = this.isBlurring;
    this.show();
  }

  unveil() {
    this.isVeiled = false;
    this.show();
  }

  blur() {
    this.isBlurring = !this.isBlurring;
    this.isVeiled = this.isBlurring;
    remember(BLUR, this.isBlurring ? "yes" : "no");
    this.desk.words.aloud(this.isBlurring ? "Pictures are blurred until tapped" : "Pictures are not blurred");
    this.show();
  }

  zoom() {
    if (this.desk.current) this.desk.stage.classList.toggle("zoomed");
    this.show();
  }

  // ---- pointer: a tap marks, a swipe votes -------------------------------------------------------------------

  down(event) {
    if (!event.isPrimary || event.button) return this.letGo();
    this.from = { x: event.clientX, y: event.clientY, isFinger: event.pointerType === "touch" };
    this.glass.setPointerCapture?.(event.pointerId);
  }

  move(event) {
    if (!event.isPrimary) return;
    if (!this.from?.isFinger) this.look(event);
    else if (this.isZoomed) this.look(event);
    else this.desk.stage.style.setProperty("--drag", `${event.clientX - this.from.x}px`);
  }

  /** Under the magnifier the place that is pointed at stays in view. */
  look({ clientX, clientY }) {
    const { left, top, width, height } = this.desk.stage.getBoundingClientRect();
    this.desk.stage.style.setProperty("--look-x", `${(100 * (clientX - left)) / width}%`);
    this.desk.stage.style.setProperty("--look-y", `${(100 * (clientY - top)) / height}%`);
  }

  up(event) {
    const from = this.from;
    this.letGo();
    if (!from) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    if (Math.hypot(dx, dy) < TAP_PX) this.tap(event);
    else if (from.isFinger && !this.isZoomed) this.swipe(dx, dy);
  }

  letGo() {
    this.from = null;
    this.desk.stage.style.removeProperty("--drag");
  }

  get isZoomed() {
    return this.desk.stage.classList.contains("zoomed");
  }

  swipe(dx, dy) {
    if (Math.abs(dx) >= SWIPE_PX && Math.abs(dx) > Math.abs(dy)) this.desk.act(dx < 0 ? "reject" : "keep");
    else if (-dy >= SWIPE_PX) this.desk.act("skip");
  }

  tap({ clientX, clientY }) {
    if (!this.desk.current) return;
    if (this.isVeiled) return this.unveil();
    const hit = this.desk.root.querySelectorAll(".mark");
    const place = [...hit].findLastIndex((mark) => {
      const { left, right, top, bottom } = mark.getBoundingClientRect();
      return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
    });
    if (place >= 0) return this.unmark(place);
    const { left, top, width, height } = this.desk.current.img.getBoundingClientRect();
    const [x, y] = [(clientX - left) / width, (clientY - top) / height];
    if (x < 0 || x > 1 || y < 0 || y > 1 || this.marks.length >= MOST_MARKS) return;
    this.marks.push({ x, y });
    this.show();
  }

  unmark(place) {
    this.marks.splice(place, 1);
    this.show();
  }

  // ---- what is seen ------------------------------------------------------------------------------------------

  show() {
    this.desk.stage.classList.toggle("veiled", Boolean(this.isVeiled && this.desk.current));
    for (const button of this.desk.root.querySelectorAll("[data-reason]"))
      button.setAttribute("aria-pressed", this.reasons.has(button.dataset.reason));
    this.desk.$("[data-tool=zoom]").setAttribute("aria-pressed", this.isZoomed);
    this.desk.$("[data-tool=blur]").setAttribute("aria-pressed", this.isBlurring);
    this.glass.replaceChildren(...this.marks.map((mark, place) => this.drawn(mark, place)));
    this.fit();
  }

  drawn({ x, y }, place) {
    const mark = document.createElement("button");
    mark.type = "button";
    mark.className = "mark";
    mark.setAttribute("aria-label", `Mark ${place + 1}, remove`);
    mark.style.left = `${100 * x}%`;
    mark.style.top = `${100 * y}%`;
    // By keyboard and screen reader; the pointer's taps come through the glass.
    mark.addEventListener("click", (event) => event.detail === 0 && this.unmark(place));
    return mark;
  }

  /** The glass lies exactly on the picture. */
  fit() {
    const img = this.desk.current?.img;
    this.glass.hidden = !img;
    if (!img) return;
    this.glass.style.width = img.style.width;
    this.glass.style.height = img.style.height;
  }
}
