// Votes a minute and the goal of a session. Only the rater sees them; they stay in this browser.
import { recall, remember } from "./storage.js";

const GOAL = "naysayer.goal";
const MINUTE_MS = 60000;

export class Pace {
  constructor(page) {
    this.page = page;
    this.times = [];
    this.votes = 0;
    this.goal = page.$(".goal");
    this.goal.value = recall(GOAL) ?? "";
    this.goal.addEventListener("change", () => {
      remember(GOAL, this.goal.value);
      this.show();
    });
  }

  count(verdict) {
    this.votes = Math.max(0, this.votes + (verdict === "undo" ? -1 : 1));
    if (verdict === "undo") this.times.pop();
    else this.times.push(Date.now());
    this.times = this.lastMinute();
  }

  lastMinute() {
    return this.times.filter((time) => time > Date.now() - MINUTE_MS);
  }

  show() {
    const goal = Number(this.goal.value);
    const recent = this.lastMinute().length;
    const parts = [];
    if (recent > 1) parts.push(`${recent} in the last minute`);
    if (goal > 0) parts.push(this.votes >= goal ? `goal of ${goal} reached` : `${this.votes} of ${goal} this session`);
    this.page.$(".pace").textContent = parts.map((part) => ` · ${part}`).join("");
  }
}
