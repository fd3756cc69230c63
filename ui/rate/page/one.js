// One picture at a time, as large as the stage allows. Has the same methods as sweep.js.
import { Annotations } from "./annotations.js";
import { actionOf, digitOf } from "./keys.js";
import { Viewer } from "./viewer.js";

const MARGIN_PX = 8;
const DECODED = 8; // pictures kept decoded behind the one on screen

export class OneMode {
  name = "one";
  size = 1; // pictures on screen
  near = 2; // on screen or next: these stay, whatever the server says
  pinned = 1; // stay even when another tab votes on them
  ahead = DECODED + 1;

  constructor(page) {
    this.page = page;
    this.current = null;
    this.annotations = new Annotations(this);
    this.viewer = new Viewer(this);
    this.viewer.show();
  }

  get wanted() {
    return this.page.limits.queue;
  }

  show() {
    const picture = this.page.queue.pictures[0] ?? null;
    const frame = this.page.$(".frame");
    for (const button of this.page.root.querySelectorAll("[data-verdict]:not([data-verdict=undo])"))
      button.disabled = !this.mayVote(picture, button.dataset.verdict);
    this.page.promptLine.write(picture);
    if (picture?.isReady) return this.showPicture(picture, frame);
    frame.replaceChildren(...(picture?.isBroken ? [this.brokenNote()] : []));
    this.current = null;
    this.viewer.show();
  }

  showPicture(picture, frame) {
    if (frame.firstChild !== picture.img) frame.replaceChildren(picture.img);
    const isNew = this.current !== picture;
    if (isNew) picture.shownAt = Date.now();
    this.current = picture;
    this.fit();
    if (isNew) this.begin();
  }

  begin() {
    this.viewer.begin();
    if (this.annotations.rejected) this.annotations.showMarks();
    else this.annotations.show();
  }

  brokenNote() {
    const note = document.createElement("p");
    note.className = "broken";
    note.textContent = "This picture could not be loaded. The page tries again in a moment; Skip passes it over.";
    return note;
  }

  fit() {
    const img = this.current?.img;
    if (!img?.naturalWidth || !this.page.room) return;
    const { width, height } = this.page.room;
    const room = Math.min((width - 2 * MARGIN_PX) / img.naturalWidth, (height - 2 * MARGIN_PX) / img.naturalHeight);
    // Whole multiples of the screen's own pixels: enlarging must not add a defect.
    const scale = room >= 1 ? Math.floor(room * devicePixelRatio) / devicePixelRatio : room;
    img.style.width = `${img.naturalWidth * scale}px`;
    img.style.height = `${img.naturalHeight * scale}px`;
    img.style.imageRendering = scale > 1 ? "pixelated" : "auto";
    this.viewer.fit();
  }

  /** What this key does; undefined for a key without an action. */
  key(event) {
    const reason = this.page.reasons[digitOf(event) - 1];
    if (reason) return () => this.annotations.toggle(reason);
    if (event.shiftKey) return undefined;
    const action = actionOf(this.page.keys.one, event);
    // On a button the space bar presses that button.
    const mayUnveil = this.viewer.isVeiled && !event.composedPath()[0].closest?.("button");
    const act = {
      undo: () => this.page.undo(),
      zoom: () => this.viewer.toggleZoom(),
      blur: () => this.viewer.toggleBlur(),
      unveil: mayUnveil ? () => this.viewer.unveil() : undefined,
      reject: () => this.submit("reject"),
      keep: () => this.submit("keep"),
      skip: () => this.submit("skip"),
    }[action];
    return act && (() => {
      this.annotations.letGo();
      act();
    });
  }

  mayVote(picture, verdict) {
    return Boolean(picture?.isReady || (picture?.isBroken && verdict === "skip"));
  }

  submit(verdict) {
    const picture = this.page.queue.pictures[0];
    if (!this.mayVote(picture, verdict)) return;
    this.reset();
    this.page.vote(verdict, picture);
    if (verdict === "reject") this.annotations.hold(picture);
    this.page.settle();
  }

  /** Prepares for a vote that is being undone; what is noted on its picture comes back with the picture. */
  restore() {
    this.reset();
  }

  reset() {
    this.annotations.letGo();
    this.viewer.endZoom();
  }

  leave() {
    this.current = null;
    this.reset();
    this.annotations.show();
    this.page.$(".frame").replaceChildren();
  }

  stop() {}
}
