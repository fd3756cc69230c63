// The rater's own last votes, each of which can still be changed: by a new vote, the old row stays.
const MOST_PAST = 30;

class Past {
  constructor(desk) {
    this.desk = desk;
    this.box = desk.$(".past");
    desk.$("[data-tool=history]").addEventListener("click", () => this.open());
  }

  open() {
    const latest = this.desk.history.slice(-MOST_PAST).reverse();
    const rows = latest.map((entry) => this.row(entry));
    this.box.querySelector("ol").replaceChildren(...(rows.length ? rows : ["Nothing yet."]));
    if (!this.box.open) this.box.showModal();
  }

  row(entry) {
    const [row, img, words, said] = ["li", "img", "span", "span"].map((kind) => document.createElement(kind));
    Object.assign(img, { src: entry.image.url, alt: "", loading: "lazy" });
    said.className = "said-before";
    said.textContent = ` ${WORDS[entry.verdict].toLowerCase()}`;
    words.append(entry.image.prompt, said);
    const other = entry.verdict === "reject" ? "keep" : "reject";
    const change = document.createElement("button");
    change.type = "button";
    change.textContent = other === "keep" ? "Keep it" : "Reject it";
    change.setAttribute("aria-label", `${change.textContent}: ${entry.image.prompt}`);
    change.addEventListener("click", () => this.change(entry, other));
    row.append(img, words, change);
    return row;
  }

  change(entry, verdict) {
    post(this.desk.rater, entry.image, verdict, entry.verdict, { page: "history" });
    entry.verdict = verdict;
    this.desk.words.aloud(`${entry.image.prompt}: ${WORDS[verdict].toLowerCase()}`);
    this.desk.words.showCount();
    this.desk.sender.send();
    this.open();
  }
}
