// Votes a minute and the goal of a session: for the rater alone, kept in this browser.
const GOAL = "naysayer.goal";
const MINUTE_MS = 60000;

class Pace {
  constructor(desk) {
    this.desk = desk;
    this.times = [];
    this.given = 0;
    this.goal = desk.$(".goal");
    this.goal.value = recall(GOAL) ?? "";
    this.goal.addEventListener("change", () => {
      remember(GOAL, this.goal.value);
      this.show();
    });
  }

  count(verdict) {
    this.given = Math.max(0, this.given + (verdict === "undo" ? -1 : 1));
    if (verdict === "undo") this.times.pop();
    else this.times.push(Date.now());
    this.times = this.times.filter((time) => time > Date.now() - MINUTE_MS);
  }

  show() {
    const goal = Number(this.goal.value);
    const recent = this.times.filter((time) => time > Date.now() - MINUTE_MS).length;
    const parts = [];
    if (recent > 1) parts.push(`${recent} in the last minute`);
    if (goal > 0) parts.push(this.given >= goal ? `goal of ${goal} reached` : `${this.given} of ${goal} this session`);
    this.desk.$(".pace").textContent = parts.map((part) => ` · ${part}`).join("");
  }
}
