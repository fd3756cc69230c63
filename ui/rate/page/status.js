// What the page says: the last vote, the count, how far away the next retrain is, and what is wrong, if anything.
import { unsentCount, unsentVotes } from "./outbox.js";

const TOAST_MS = 800;
const NOTE_MS = 9000;
/** Answers of a server that is there and refuses: not signed in, not allowed, too long, too often. */
const REFUSED = new Set([401, 403, 413, 429]);

const inFull = (words) => `${words[0].toUpperCase()}${words.slice(1).replace(/\.?$/, ".")}`;

export class Status {
  constructor(page) {
    this.page = page;
    this.reset();
  }

  reset() {
    Object.assign(this, { today: 0, isOffline: false, note: "", trouble: "" });
  }

  /** Shows the server's answer: how many were given today (where it says so), what is drawn, when a retrain is due. */
  update({ progress, due, run, is_drawing: isDrawing }) {
    if (progress) this.today = progress.today;
    this.page.$(".coming").hidden = !isDrawing;
    this.page.$(".stalled").hidden = isDrawing;
    if (!this.page.sender.isPaused) this.setOffline(false);
    this.showCount();
    this.showDue(due, run);
  }

  showVerdict(verdict) {
    const toast = this.page.$(".toast");
    const icon = this.page.$(`[data-verdict=${verdict}] svg`).cloneNode(true);
    const done = this.page.done[verdict];
    const style = done.toLowerCase();
    toast.replaceChildren(icon, done);
    toast.className = `toast on ${style}`;
    const { stage, queue } = this.page;
    const styles = Object.values(this.page.done).map((word) => word.toLowerCase());
    const endFlash = () => stage.classList.remove("flash", ...styles);
    endFlash();
    requestAnimationFrame(() => stage.classList.add("flash", style));
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => {
      toast.classList.remove("on");
      endFlash();
    }, TOAST_MS);
    const [next] = queue.pictures;
    this.announce(`${done}. ${next ? `Now: ${next.prompt}` : "No more pictures."}`);
  }

  /** For screen readers. */
  announce(sentence) {
    this.page.$(".announcement").textContent = sentence;
  }

  showCount() {
    const count = Math.max(0, this.today + unsentCount(this.page.rater));
    this.page.$(".count").textContent = count;
    this.page.$(".unit").textContent = count === 1 ? "answer today" : "answers today";
    this.page.pace.show(count);
    if (this.isOffline) this.showNote();
  }

  showDue({ new_rejects: rejects, needed }, run) {
    const bar = this.page.$(".bar");
    const [part, whole] = run ? [run.step, run.steps] : [Math.min(rejects, needed), needed];
    const percent = whole ? Math.round((100 * part) / whole) : 0;
    bar.classList.toggle("running", Boolean(run));
    bar.firstElementChild.style.width = `${percent}%`;
    bar.setAttribute("aria-valuenow", part);
    bar.setAttribute("aria-valuemax", whole || 1);
    this.page.$(".towards").textContent = run
      ? `A retrain is running, ${percent} %`
      : rejects < needed
        ? `New rejects for the next retrain: about ${rejects} of ${needed}`
        : "The next retrain is due";
  }

  /** `error`: what the server said when it refused the person; without one it did not answer. */
  setOffline(isOffline, error) {
    this.isOffline = isOffline;
    this.trouble = REFUSED.has(error?.status) ? inFull(error.message) : "The server does not answer.";
    this.showNote();
  }

  notify(note) {
    this.note = note;
    clearTimeout(this.noteTimer);
    if (note) this.noteTimer = setTimeout(() => this.notify(""), NOTE_MS);
    this.showNote();
  }

  showNote() {
    const count = unsentVotes().length;
    const unsent = count
      ? `${count} ${count === 1 ? "vote" : "votes"} waiting to be sent, kept in this browser.`
      : "Your place is kept.";
    this.page.$(".note").textContent = this.note || (this.isOffline ? `${this.trouble} ${unsent}` : "");
  }
}
