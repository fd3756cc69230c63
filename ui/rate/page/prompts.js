// Prompts: how much room they get, what is left out where all begin alike, and "more" for the longest.
import { recall, remember } from "./storage.js";

const FULL = "naysayer.full-prompts";
const MEDIUM = 60; // characters; longer prompts get a second line
const LONG = 170;
const MEASURE_AFTER_MS = 60; // the next picture is painted first
const WORTH_LEAVING_OUT = 12; // characters

/**
 * Writes the picture's prompt, without its first `skipped` characters. The end that the model did not read is struck
 * through, because no picture can follow it.
 */
export function writePrompt(element, picture, skipped = 0) {
  const { prompt = "", unread = "" } = picture ?? {};
  element.textContent = (skipped ? "… " : "") + prompt.slice(skipped, prompt.length - unread.length);
  if (!unread) return;
  const rest = document.createElement("s");
  rest.textContent = unread;
  rest.title = "The model did not read this part.";
  element.append(rest);
}

/** How many characters all these prompts begin with, in whole words; 0 where leaving them out spares little. */
export function commonBeginning(prompts) {
  const [first, ...others] = new Set(prompts);
  if (!others.length) return 0;
  let end = 0;
  while (end < first.length && others.every((other) => other[end] === first[end])) end += 1;
  const words = first.slice(0, end).lastIndexOf(" ") + 1;
  return words >= WORTH_LEAVING_OUT ? words : 0;
}

/** The prompt above the pictures. */
export class PromptLine {
  constructor(page) {
    this.main = page.$(".main");
    this.line = page.$(".prompt");
    this.more = page.$(".more");
    this.isFull = recall(FULL) === "yes";
    this.longest = 0;
    this.more.addEventListener("click", () => this.toggle());
    this.makeRoom([]);
  }

  /** As much room as the longest prompt so far needs, so that nothing moves from picture to picture. */
  makeRoom(pictures) {
    this.longest = Math.max(this.longest, ...pictures.map(({ prompt }) => prompt.length));
    const isFull = this.isFull && this.longest > LONG;
    const room = this.longest > LONG ? "long" : this.longest > MEDIUM ? "medium" : "short";
    this.main.dataset.prompts = isFull ? "full" : room;
  }

  toggle() {
    this.isFull = !this.isFull;
    remember(FULL, this.isFull ? "yes" : "no");
    this.makeRoom([]);
    this.measure();
  }

  write(picture) {
    if (this.shown === picture) return;
    this.shown = picture;
    writePrompt(this.line, picture);
    clearTimeout(this.measuring);
    this.measuring = setTimeout(() => this.measure(), MEASURE_AFTER_MS);
  }

  measure() {
    this.line.scrollTop = 0;
    const isFull = this.main.dataset.prompts === "full";
    this.more.hidden = !isFull && this.line.scrollHeight <= this.line.clientHeight + 1;
    this.line.tabIndex = isFull ? 0 : -1; // a text that scrolls can be scrolled by keys
    this.more.firstChild.data = isFull ? "less " : "more ";
    this.more.setAttribute("aria-expanded", isFull);
  }
}
