// Answers a minute and the goal of a session. Only the rater sees them; they stay in this browser.
import { isAnswer } from "./outbox.js";
import { recall, remember } from "./storage.js";

const GOAL = "naysayer.goal";
const MINUTE_MS = 60000;

export class Pace {
  constructor(page) {
    this.page = page;
    this.times = [];
    this.answers = 0;
    this.today = 0;
    this.goal = page.$(".goal");
    this.goal.value = recall(GOAL) ?? "";
    this.goal.addEventListener("change", () => {
      remember(GOAL, this.goal.value);
      this.show();
    });
  }

  count(verdict) {
    if (!isAnswer(verdict)) return;
    this.answers += 1;
    this.times = [...this.lastMinute(), Date.now()];
  }

  takeBack(verdict) {
    if (!isAnswer(verdict)) return;
    this.answers = Math.max(0, this.answers - 1);
    this.times.pop();
  }

  lastMinute() {
    return this.times.filter((time) => time > Date.now() - MINUTE_MS);
  }

  /** `today` is how many answers the page shows: a second one on a picture, or one before midnight, is none of them. */
  show(today = this.today) {
    this.today = today;
    const goal = Number(this.goal.value);
    const recent = Math.min(this.lastMinute().length, today);
    const parts = [];
    if (recent > 1) parts.push(`${recent} in the last minute`);
    const isReached = this.answers >= goal;
    if (goal > 0) parts.push(isReached ? `goal of ${goal} reached` : `${this.answers} of ${goal} this session`);
    this.page.$(".pace").textContent = parts.map((part) => ` · ${part}`).join("");
  }
}
