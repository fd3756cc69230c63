// The rater's last votes. Each can still be changed: by a new vote, the old row stays.
import { post } from "./outbox.js";

export class HistoryDialog {
  constructor(page) {
    this.page = page;
    this.dialog = page.$(".history");
    page.$("[data-tool=history]").addEventListener("click", () => this.open());
  }

  open() {
    const latest = this.page.history.slice(-this.page.limits.history).reverse();
    const rows = latest.map((entry) => this.row(entry));
    this.dialog.querySelector("ol").replaceChildren(...(rows.length ? rows : ["Nothing yet."]));
    if (!this.dialog.open) this.dialog.showModal();
  }

  row(entry) {
    const [row, img, text, verdict] = ["li", "img", "span", "span"].map((kind) => document.createElement(kind));
    Object.assign(img, { src: entry.picture.url, alt: "", loading: "lazy" });
    verdict.className = "verdict";
    verdict.textContent = ` ${this.page.done[entry.verdict].toLowerCase()}`;
    text.append(entry.picture.prompt, verdict);
    row.append(img, text, this.changeButton(entry));
    return row;
  }

  changeButton(entry) {
    const other = entry.verdict === "reject" ? "keep" : "reject";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = other === "keep" ? "Keep it" : "Reject it";
    button.setAttribute("aria-label", `${button.textContent}: ${entry.picture.prompt}`);
    button.addEventListener("click", () => this.change(entry, other));
    return button;
  }

  change(entry, verdict) {
    post(this.page.rater, entry.picture, verdict, entry.verdict, { page: "history" });
    entry.verdict = verdict;
    this.page.status.announce(`${entry.picture.prompt}: ${this.page.done[verdict].toLowerCase()}`);
    this.page.status.showCount();
    this.page.sender.send();
    this.open();
  }
}
