// What a rater may add to a reject: reasons, and marks where the defects are. Both are optional, and both are kept with
// the picture as `noted`. Who rejects first and then says why means the picture just rejected: for a while, until
// another key, reasons belong to that one, and so does a mark that comes too soon to be meant for the next picture.
import { keepNotes } from "./noted.js";

const UNSEEN_MS = 350; // nobody marks a picture sooner after it appeared
const SHOW_AFTER_MS = 60; // the next picture is painted first
const NOTHING = { reasons: [], marks: [] };

/** The point as shares of the place's width and height; undefined beside it. */
function shareOf({ left, top, width, height }, { clientX, clientY }) {
  const [x, y] = [(clientX - left) / width, (clientY - top) / height];
  return [x, y].every((share) => share >= 0 && share <= 1) ? { x, y } : undefined;
}

export class Annotations {
  constructor(mode) {
    this.mode = mode;
    this.page = mode.page;
    this.layer = this.page.$(".glass");
    this.whose = this.page.$(".whose");
    this.rejected = null; // the picture just rejected, while reasons still belong to it
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

  get noted() {
    return (this.rejected ?? this.mode.current)?.noted ?? NOTHING;
  }

  toggle(reason) {
    const picture = this.rejected ?? this.mode.current;
    if (!picture) return;
    const { reasons, marks } = this.noted;
    const isOn = !reasons.includes(reason);
    picture.noted = { reasons: isOn ? [...reasons, reason] : reasons.filter((other) => other !== reason), marks };
    keepNotes(this.page.rater, picture);
    const whose = this.rejected ? "previous picture" : "this picture";
    this.page.status.announce(`${reason}: ${isOn ? "on" : "off"}, ${whose}`);
    if (this.rejected) this.amend(isOn ? `${reason} → previous picture` : `${reason} taken off the previous picture`);
    this.show();
  }

  /** Starts the time in which a reason belongs to this picture, which was just rejected. */
  hold(picture) {
    Object.assign(this, { rejected: picture, rejectedAt: Date.now(), said: "" });
    this.wait();
    this.later = setTimeout(() => this.show(), SHOW_AFTER_MS);
  }

  wait() {
    clearTimeout(this.ending);
    this.ending = setTimeout(() => this.letGo(), this.page.limits.lateReasonMs);
  }

  /** From now on reasons belong to the picture on screen. */
  letGo() {
    if (!this.rejected) return;
    clearTimeout(this.ending);
    clearTimeout(this.later);
    this.rejected = null;
    this.show();
  }

  amend(said) {
    this.said = said;
    this.page.amendLast();
    this.wait();
  }

  /** Adds a mark at this point of the screen, or removes the mark that is there. */
  markAt(point) {
    if (this.rejected && Date.now() - this.rejectedAt < UNSEEN_MS) {
      if (this.addMark(this.rejected, this.lastPlace(), point)) this.amend("mark → previous picture");
      return this.show();
    }
    this.letGo();
    const hit = this.marksOnScreen().findLastIndex((mark) => shareOf(mark.getBoundingClientRect(), point));
    if (hit >= 0) return this.unmark(hit);
    this.addMark(this.mode.current, this.mode.current.img.getBoundingClientRect(), point);
    this.show();
  }

  /** True when the point is on the picture, which may have one more mark. */
  addMark(picture, place, point) {
    const { reasons, marks } = picture.noted ?? NOTHING;
    const mark = shareOf(place, point);
    if (!mark || marks.length >= this.page.limits.maxMarks) return false;
    picture.noted = { reasons, marks: [...marks, mark] };
    keepNotes(this.page.rater, picture);
    return true;
  }

  /** Where the picture just rejected was: in the middle of the stage. */
  lastPlace() {
    const { left, top, width, height } = this.page.stage.getBoundingClientRect();
    const [w, h] = [this.rejected.img.style.width, this.rejected.img.style.height].map(parseFloat);
    return { left: left + (width - w) / 2, top: top + (height - h) / 2, width: w, height: h };
  }

  marksOnScreen() {
    return [...this.layer.querySelectorAll(".mark")];
  }

  unmark(place) {
    const { reasons, marks } = this.noted;
    this.mode.current.noted = { reasons, marks: marks.toSpliced(place, 1) };
    keepNotes(this.page.rater, this.mode.current);
    this.show();
  }

  show() {
    const { reasons } = this.noted;
    for (const button of this.buttons) {
      const isOn = `${reasons.includes(button.dataset.reason)}`;
      // Between a key and the next picture nothing is written that stays the same.
      if (button.getAttribute("aria-pressed") !== isOn) button.setAttribute("aria-pressed", isOn);
    }
    this.showMarks();
    this.showWhose();
  }

  showMarks() {
    const { marks } = this.mode.current?.noted ?? NOTHING;
    if (!marks.length && !this.layer.firstChild) return;
    this.layer.replaceChildren(...marks.map((mark, place) => this.markButton(mark, place)));
  }

  /** Says which picture a reason would belong to, and what was just noted. */
  showWhose() {
    const line = this.rejected ? this.said || "Reasons → previous picture" : "What is wrong? (optional)";
    const img = this.rejected?.isReady ? this.rejected.img : null;
    if (this.whose.textContent === line && this.whose.querySelector("img") === img) return;
    this.whose.classList.toggle("previous", Boolean(this.rejected));
    this.whose.replaceChildren(...(img ? [img] : []), line, ...(this.rejected ? [this.timeLeft()] : []));
  }

  /** A bar that runs down while reasons belong to the previous picture. */
  timeLeft() {
    const bar = document.createElement("i");
    bar.style.animationDuration = `${this.page.limits.lateReasonMs}ms`;
    return bar;
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
