// What a rater may add to a vote on one picture: reasons, and marks where the defects are. Both are optional.
export class Annotations {
  constructor(mode) {
    this.mode = mode;
    this.page = mode.page;
    this.layer = this.page.$(".glass");
    this.reasons = new Set();
    this.marks = [];
    this.buttons = this.page.reasons.map((reason, place) => this.reasonButton(place + 1, reason));
    this.page.$(".reasons").append(...this.buttons);
  }

  reasonButton(number, reason) {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = number;
    button.type = "button";
    button.append(key, reason);
    button.dataset.reason = reason;
    button.setAttribute("aria-keyshortcuts", number);
    button.addEventListener("click", () => this.toggle(reason));
    return button;
  }

  toggle(reason) {
    if (!this.mode.current) return;
    if (!this.reasons.delete(reason)) this.reasons.add(reason);
    this.page.status.announce(`${reason}: ${this.reasons.has(reason) ? "on" : "off"}`);
    this.show();
  }

  /** The reasons and marks so far, for the vote; the next picture starts without any. */
  take() {
    const taken = { reasons: [...this.reasons], marks: this.marks };
    this.clear();
    return taken;
  }

  clear() {
    this.reasons = new Set();
    this.marks = [];
    this.show();
  }

  /** Adds a mark at this point of the screen, or removes the mark that is there. */
  markAt({ clientX, clientY }) {
    const hit = this.marksOnScreen().findLastIndex((mark) => {
      const { left, right, top, bottom } = mark.getBoundingClientRect();
      return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
    });
    if (hit >= 0) return this.unmark(hit);
    const { left, top, width, height } = this.mode.current.img.getBoundingClientRect();
    const [x, y] = [(clientX - left) / width, (clientY - top) / height];
    if (x < 0 || x > 1 || y < 0 || y > 1 || this.marks.length >= this.page.limits.maxMarks) return;
    this.marks.push({ x, y });
    this.show();
  }

  marksOnScreen() {
    return [...this.layer.querySelectorAll(".mark")];
  }

  unmark(place) {
    this.marks.splice(place, 1);
    this.show();
  }

  show() {
    for (const button of this.buttons) button.setAttribute("aria-pressed", this.reasons.has(button.dataset.reason));
    this.layer.replaceChildren(...this.marks.map((mark, place) => this.markButton(mark, place)));
  }

  markButton({ x, y }, place) {
    const mark = document.createElement("button");
    mark.type = "button";
    mark.className = "mark";
    mark.setAttribute("aria-label", `Mark ${place + 1}, remove`);
    mark.style.left = `${100 * x}%`;
    mark.style.top = `${100 * y}%`;
    // Only for keyboards and screen readers: the layer handles taps.
    mark.addEventListener("click", (event) => event.detail === 0 && this.unmark(place));
    return mark;
  }
}
