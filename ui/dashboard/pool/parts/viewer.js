// One picture enlarged. It is opened in the browser and its facts are fetched; the neighbours' come ahead of time.
class Viewer {
  constructor(pool, root) {
    this.pool = pool;
    this.dialog = root.querySelector(".viewer");
    this.known = new Map();
    const press = (name, act) => this.dialog.querySelector(name).addEventListener("click", act);
    press(".close", () => this.dialog.close());
    press(".previous", () => this.step(-1));
    press(".next", () => this.step(1));
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("close", () => { this.pool.remember(); this.pool.focusOn(this.id); });
    const img = this.dialog.querySelector("img");
    img.addEventListener("load", () => img.classList.toggle("small", img.naturalWidth < img.clientWidth));
  }

  get isOpen() { return this.dialog.open; }

  // `order`: the pictures that the arrows go through.
  open(id, order) {
    this.order = order;
    this.show(id);
    if (!this.isOpen) this.dialog.showModal();
  }

  show(id) {
    this.id = id;
    this.pool.remember();
    const place = this.order.indexOf(id), listed = [...this.pool.thumbs.keys()].indexOf(id);
    this.dialog.querySelector(".place").textContent =
      listed < 0 ? `picture ${id}, not in this list` : `${this.pool.page * SIZE + listed + 1} of ${this.pool.total}`;
    this.dialog.querySelector(".previous").disabled = place < 0 || (place === 0 && this.pool.page === 0);
    this.dialog.querySelector(".next").disabled = place < 0 || (place === this.order.length - 1 && !this.pool.hasMore);
    const thumb = this.pool.thumbs.get(id);
    if (thumb && !this.known.has(id)) this.draw({ ...thumb, marks: [], facts: [], votes: [], events: [], isComing: true });
    this.fetch(id).then((opened) => { if (this.id === id) this.draw(opened); }, (error) => tell(this.dialog, error));
    for (const near of [this.order[place + 1], this.order[place - 1]]) if (place >= 0 && near) this.fetch(near).catch(() => {});
  }

  // Once for each picture, with its file; `forget` when something was decided.
  fetch(id) {
    if (!this.known.has(id)) {
      const coming = ask(`${ADDRESS}/${id}`);
      this.known.set(id, coming);
      coming.then((opened) => { new Image().src = opened.url; }, () => this.known.delete(id));
    }
    return this.known.get(id);
  }

  forget() {
    this.known.clear();
    if (this.isOpen) this.show(this.id);
  }

  async step(by) {
    const place = this.order.indexOf(this.id) + by;
    if (this.order[place]) return this.show(this.order[place]);
    if (this.dialog.querySelector(by > 0 ? ".next" : ".previous").disabled) return undefined;
    await this.pool.turn(by);
    this.order = [...this.pool.thumbs.keys()];
    return this.order.length ? this.show(this.order.at(by > 0 ? 0 : -1)) : this.dialog.close();
  }

  key(event) {
    const press = (action) => this.dialog.querySelector(`.acts [data-action=${action}]`)?.click();
    const act = { ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), s: () => this.pool.toggle(this.id),
      x: () => press(this.isOut ? "restore" : "exclude"), j: () => press("reject"), k: () => press("keep") }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  draw(opened) {
    const at = (name) => this.dialog.querySelector(name);
    this.isOut = opened.is_out;
    const img = at("img"), alt = opened.marks.length ? `${opened.prompt}, with ${plural(opened.marks.length, "mark")}` : opened.prompt;
    if (img.getAttribute("src") !== opened.url) img.src = opened.url;
    img.alt = alt;
    at(".marked").style.setProperty("--shape", opened.height ? opened.width / opened.height : 1);
    at(".marked").replaceChildren(img, ...opened.marks.map((mark) =>
      element("i", { style: `left:${100 * mark.x}%;top:${100 * mark.y}%`, title: `marked by ${mark.rater}` })));
    at(".prompt").textContent = opened.prompt;
    if (opened.isComing) return;
    tell(this.dialog, null);
    at(".verdict").replaceChildren(...verdictOf(opened));
    at(".acts").replaceChildren(...this.acts(opened));
    for (const key of at(".keys").querySelectorAll("[data-action]")) key.hidden = !at(`.acts [data-action=${key.dataset.action}]`);
    at("dl").replaceChildren(...opened.facts.flatMap(([name, words]) =>
      [element("dt", { textContent: name }), element("dd", { textContent: words })]));
    at(".votes").replaceChildren(...opened.votes.map(voteLine));
    if (!opened.votes.length) at(".votes").replaceChildren(element("li", { textContent: "No votes." }));
    at(".by-hand").hidden = !opened.events.length;
    at(".events").replaceChildren(...opened.events.map((one) => element("li", {},
      element("span", {}, `${one.words} by ${one.by}`, element("small", { textContent: one.reason })),
      element("time", { textContent: one.ago }))));
  }

  acts(opened) {
    const button = (words, action, className = "") => {
      const made = element("button", { type: "button", textContent: words, className });
      made.dataset.action = action;
      made.addEventListener("click", () => this.pool.decisions.decide(action, [opened.id]));
      return made;
    };
    const control = element("button", { type: "button", textContent: "Use it as a control…" });
    control.addEventListener("click", () => this.pool.decisions.makeControl(opened.id));
    return [
      opened.is_out ? button("Put it back…", "restore") : button("Take it out…", "exclude"),
      ...(["reject", "unrated"].includes(opened.verdict) ? [] : [button("Overrule: reject…", "reject", "no")]),
      ...(["keep", "unrated"].includes(opened.verdict) ? [] : [button("Overrule: keep…", "keep", "yes")]),
      ...(opened.ruled ? [button("Follow the votes again…", "follow")] : []),
      control,
    ];
  }
}

const VERDICTS = { reject: "Rejected", keep: "Kept", disputed: "Disputed", unrated: "No verdict yet" };

function verdictOf(opened) {
  const word = element("b", { className: opened.verdict, textContent: VERDICTS[opened.verdict] });
  return opened.ruled ? [word, " ", element("span", { className: "badge", textContent: "a curator's verdict" })] : [word];
}

function voteLine(vote) {
  const notes = vote.notes.length ? [element("small", { textContent: vote.notes.join(", ") })] : [];
  return element("li", { className: vote.is_past ? "is-past" : "" },
    element("span", {}, element("span", { className: "what" }, `${vote.rater} `,
      element("b", { className: vote.is_past ? "" : vote.verdict, textContent: vote.word })), ...notes),
    element("time", { textContent: vote.ago }));
}
