// A long press on a picture of the grid shows it larger, with its whole prompt.
import { writePrompt } from "./prompts.js";

const LONG_PRESS_MS = 450;
const STILL_PX = 10; // a finger that moved more scrolls

export class Peek {
  constructor(page) {
    this.dialog = page.$(".peek");
  }

  /** `act` is what a tap does. */
  listen(cell, picture, act) {
    const end = () => clearTimeout(this.timer);
    cell.addEventListener("pointerdown", ({ pointerType, clientX, clientY }) => {
      end();
      this.isOpened = false;
      Object.assign(this, { x: clientX, y: clientY });
      if (pointerType === "touch") this.timer = setTimeout(() => this.open(picture), LONG_PRESS_MS);
    });
    cell.addEventListener("pointermove", ({ clientX, clientY }) =>
      Math.hypot(clientX - this.x, clientY - this.y) > STILL_PX && end());
    for (const kind of ["pointerup", "pointercancel"]) cell.addEventListener(kind, end);
    cell.addEventListener("contextmenu", (event) => this.isOpened && event.preventDefault());
    // The click that ends a long press picks nothing.
    cell.addEventListener("click", (event) => (this.isOpened ? (this.isOpened = false) : act(event)));
  }

  open(picture) {
    this.isOpened = true;
    Object.assign(this.dialog.querySelector("img"), { src: picture.url, alt: "" });
    writePrompt(this.dialog.querySelector("p"), picture);
    this.dialog.showModal();
  }
}
