// How one picture is looked at (zoom, blur), and what a pointer does on it: a tap marks, a swipe votes.
import { recall, remember } from "./storage.js";
import { Swipes, verdictOf } from "./swipes.js";

const BLUR = "naysayer.blur";
const TAP_PX = 10; // a pointer that moved less has tapped

export class Viewer {
  constructor(mode) {
    this.mode = mode;
    this.page = mode.page;
    this.stage = this.page.stage;
    this.glass = this.page.$(".glass");
    this.isBlurring = recall(BLUR) === "yes";
    this.isVeiled = false;
    this.swipes = new Swipes(this.page);
    this.listen();
  }

  listen() {
    const on = (kind, act) => this.glass.addEventListener(kind, act);
    on("pointerdown", (event) => this.onDown(event));
    on("pointermove", (event) => this.onMove(event));
    on("pointerup", (event) => this.onUp(event));
    on("pointercancel", () => this.endDrag());
    this.page.$("[data-tool=zoom]").addEventListener("click", () => this.toggleZoom());
    this.page.$("[data-tool=blur]").addEventListener("click", () => this.toggleBlur());
  }

  /** Starts with a new picture. */
  begin() {
    this.isVeiled = this.isBlurring;
    this.show();
  }

  unveil() {
    this.isVeiled = false;
    this.show();
  }

  toggleBlur() {
    this.isBlurring = !this.isBlurring;
    this.isVeiled = this.isBlurring;
    remember(BLUR, this.isBlurring ? "yes" : "no");
    this.page.status.announce(this.isBlurring ? "Pictures are blurred until tapped" : "Pictures are not blurred");
    this.show();
  }

  toggleZoom() {
    if (this.mode.current) this.stage.classList.toggle("zoomed");
    this.show();
  }

  endZoom() {
    this.stage.classList.remove("zoomed");
    this.show();
  }

  get isZoomed() {
    return this.stage.classList.contains("zoomed");
  }

  onDown(event) {
    if (!event.isPrimary || event.button) return this.endDrag();
    this.from = { x: event.clientX, y: event.clientY, isFinger: event.pointerType === "touch" };
    this.glass.setPointerCapture?.(event.pointerId);
  }

  onMove(event) {
    if (!event.isPrimary) return;
    if (!this.from?.isFinger || this.isZoomed) this.pan(event);
    else this.swipes.follow(event.clientX - this.from.x, event.clientY - this.from.y);
  }

  /** Keeps the place under the pointer in view while the picture is zoomed. */
  pan({ clientX, clientY }) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    this.stage.style.setProperty("--look-x", `${(100 * (clientX - left)) / width}%`);
    this.stage.style.setProperty("--look-y", `${(100 * (clientY - top)) / height}%`);
  }

  onUp(event) {
    const from = this.from;
    this.endDrag();
    if (!from) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    if (Math.hypot(dx, dy) < TAP_PX) this.tap(event);
    else if (from.isFinger && !this.isZoomed) this.swipe(verdictOf(dx, dy));
  }

  endDrag() {
    this.from = null;
    this.stage.style.removeProperty("--drag");
    this.swipes.release();
  }

  swipe(verdict) {
    if (!verdict || !this.mode.current) return;
    this.swipes.learn();
    this.mode.submit(verdict);
  }

  tap(event) {
    if (!this.mode.current) return;
    if (this.isVeiled) this.unveil();
    else this.mode.annotations.markAt(event);
  }

  show() {
    this.stage.classList.toggle("veiled", Boolean(this.isVeiled && this.mode.current));
    this.page.$("[data-tool=zoom]").setAttribute("aria-pressed", this.isZoomed);
    this.page.$("[data-tool=blur]").setAttribute("aria-pressed", this.isBlurring);
    this.fit();
  }

  /** Lays the glass, which takes the pointer, exactly over the picture. */
  fit() {
    const img = this.mode.current?.img;
    this.glass.hidden = !img;
    if (!img) return;
    this.glass.style.width = img.style.width;
    this.glass.style.height = img.style.height;
  }
}
