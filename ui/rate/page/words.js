// What the page says: the last vote, the count, how far the next retrain is, and what is wrong, if anything.
const SAID_MS = 800;
const NOTE_MS = 9000;
const WORDS = { reject: "Rejected", keep: "Kept", skip: "Skipped", undo: "Undone" };

class Words {
  constructor(desk) {
    this.desk = desk;
    this.reset();
  }

  reset() {
    Object.assign(this, { today: 0, isTroubled: false, note: "" });
  }

  /** The server's answer: how many votes count today, and when the next retrain is due. */
  hear({ progress, due, run }) {
    this.today = progress.today;
    this.showTrouble(false);
    this.showCount();
    this.showDue(due, run);
  }

  say(verdict) {
    const said = this.desk.$(".said");
    const icon = this.desk.$(`[data-verdict=${verdict}] svg`).cloneNode(true);
    const style = WORDS[verdict].toLowerCase();
    said.replaceChildren(icon, WORDS[verdict]);
    said.className = `said on ${style}`;
    const { stage, hand } = this.desk;
    const calm = () => stage.classList.remove("flash", ...Object.values(WORDS).map((word) => word.toLowerCase()));
    calm();
    requestAnimationFrame(() => stage.classList.add("flash", style));
    clearTimeout(this.saidTimer);
    this.saidTimer = setTimeout(() => {
      said.classList.remove("on");
      calm();
    }, SAID_MS);
    this.aloud(`${WORDS[verdict]}. ${hand.queue[0] ? `Now: ${hand.queue[0].prompt}` : "No more pictures."}`);
  }

  aloud(sentence) {
    this.desk.$(".aloud").textContent = sentence;
  }

  showCount() {
    const count = Math.max(0, this.today + unsentCount(this.desk.rater));
    this.desk.$(".count").textContent = count;
    this.desk.$(".unit").textContent = count === 1 ? "vote today" : "votes today";
    this.desk.pace.show(count);
    if (this.isTroubled) this.showNote();
  }

  showDue({ new_rejects: rejects, needed }, run) {
    const bar = this.desk.$(".bar");
    const [part, whole] = run ? [run.step, run.steps] : [Math.min(rejects, needed), needed];
    const percent = whole ? Math.round((100 * part) / whole) : 0;
    bar.classList.toggle("running", Boolean(run));
    bar.firstElementChild.style.width = `${percent}%`;
    bar.setAttribute("aria-valuenow", part);
    bar.setAttribute("aria-valuemax", whole || 1);
    this.desk.$(".towards").textContent = run
      ? `A retrain is running, ${percent} %`
      : rejects < needed
        ? `${rejects} of ${needed} new rejects until the next retrain`
        : `${rejects} new rejects: a retrain is due`;
  }

  showTrouble(isTroubled) {
    this.isTroubled = isTroubled;
    this.showNote();
  }

  tell(note) {
    this.note = note;
    clearTimeout(this.noteTimer);
    if (note) this.noteTimer = setTimeout(() => this.tell(""), NOTE_MS);
    this.showNote();
  }

  showNote() {
    const count = waiting().length;
    const kept = count
      ? `${count} ${count === 1 ? "vote" : "votes"} waiting to be sent, kept in this browser.`
      : "Your place is kept.";
    this.desk.$(".note").textContent = this.note || (this.isTroubled ? `The server does not answer. ${kept}` : "");
  }
}
