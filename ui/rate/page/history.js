// The rater's last votes. Each can still be changed: by a new vote, the old row stays.
import { writePrompt } from "./prompts.js";
import { openSheet } from "./sheet.js";

/** What is wrong with a picture, such as " · hands · 2 marks". */
function notedWords({ noted: { reasons = [], marks = [] } = {} }) {
  const marked = marks.length ? [`${marks.length} ${marks.length === 1 ? "mark" : "marks"}`] : [];
  return [...reasons, ...marked].map((noted) => ` · ${noted}`).join("");
}

export class HistoryDialog {
  constructor(page) {
    this.page = page;
    this.dialog = page.$(".history");
    page.$("[data-tool=history]").addEventListener("click", () => this.open());
  }

  open() {
    const latest = this.page.history.slice(-this.page.limits.history).reverse();
    const rows = latest.map((entry) => this.row(entry));
    this.dialog.querySelector("ol").replaceChildren(...rows);
    this.dialog.querySelector(".none").hidden = rows.length > 0;
    if (!this.dialog.open) openSheet(this.dialog);
  }

  row(entry) {
    const [row, img, text, prompt] = ["li", "img", "div", "p"].map((kind) => document.createElement(kind));
    Object.assign(img, { src: entry.picture.url, alt: "", loading: "lazy" });
    writePrompt(prompt, entry.picture);
    text.append(this.verdict(entry), prompt);
    row.append(img, text, this.changeButton(entry));
    return row;
  }

  /** The verdict in its colour, with the reasons of a reject. */
  verdict({ verdict, picture }) {
    const [line, word] = ["p", "b"].map((kind) => document.createElement(kind));
    const done = this.page.done[verdict];
    line.className = `verdict ${done.toLowerCase()}`;
    word.textContent = done;
    line.append(word, verdict === "reject" ? notedWords(picture) : "");
    return line;
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
    this.page.post(entry.picture, verdict, { was: entry.verdict, page: "history" });
    entry.verdict = verdict;
    this.page.status.announce(`${entry.picture.prompt}: ${this.page.done[verdict].toLowerCase()}`);
    this.page.status.showCount();
    this.page.sender.send();
    this.open();
  }
}
