// Swipes on a touch screen: which verdict each gives, and the hint until the rater knows them.
import { recall, remember } from "./storage.js";

const LEARNT = "naysayer.swipes";
const ENOUGH = 3; // swipes, then the hint goes
const SWIPE_PX = 64;
const SHOWN_PX = 24; // from here on the stage says what a swipe would give

/** The verdict of a finger's way from its start, such as "reject"; undefined for none. */
export function verdictOf(dx, dy, least = SWIPE_PX) {
  if (Math.abs(dx) >= least && Math.abs(dx) > Math.abs(dy)) return dx < 0 ? "reject" : "keep";
  return -dy >= least ? "skip" : undefined;
}

export class Swipes {
  constructor(page) {
    this.stage = page.stage;
    this.hint = page.$(".swipes");
    this.count = Number(recall(LEARNT));
    this.hint.hidden = this.count >= ENOUGH;
  }

  /** Moves the picture with the finger and says what would come of it. */
  follow(dx, dy) {
    this.stage.style.setProperty("--drag", `${dx}px`);
    const verdict = verdictOf(dx, dy, SHOWN_PX);
    if (verdict) this.stage.dataset.toward = verdict;
    else this.release();
  }

  release() {
    delete this.stage.dataset.toward;
  }

  learn() {
    this.count += 1;
    remember(LEARNT, this.count);
    this.hint.hidden = this.count >= ENOUGH;
  }
}
