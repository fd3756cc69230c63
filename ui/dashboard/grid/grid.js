// The same prompts and seeds, drawn by several versions. Prompts come from outside, so they are set as text.
const STEP = 24;
const WORDS = { reject: "rejected", keep: "kept", disputed: "disputed", unrated: "" };

class Grid {
  constructor(root, data) {
    this.root = root;
    this.shown = STEP;
    this.dialog = root.querySelector("dialog");
    root.querySelectorAll(".bar input").forEach((box) => box.addEventListener("change", () => this.draw()));
    root.querySelector(".more").addEventListener("click", () => { this.shown += STEP; this.draw(); });
    this.dialog.querySelector("[name=edge]").addEventListener("input", () => this.slide());
    this.dialog.querySelectorAll("select").forEach((one) => one.addEventListener("change", () => this.compare()));
    // A picture that is shown larger than it is keeps its pixels sharp. `load` does not bubble.
    root.addEventListener("load", ({ target: img }) =>
      img.classList.toggle("small", img.naturalWidth < img.clientWidth), true);
    this.take(data);
  }

  take(data) {
    this.data = data;
    this.draw();
  }

  get isBlind() { return this.root.querySelector("[name=blind]").checked; }

  // Blind: each row has its own column order, which says nothing about the versions and never changes.
  order(pair) {
    const versions = [...this.data.versions];
    if (!this.isBlind) return versions;
    const salt = (v) => { let h = 7; for (const c of `${pair.seed} ${pair.prompt} ${v}`) h = (h * 31 + c.charCodeAt(0)) >>> 0; return h; };
    return versions.sort((a, b) => salt(a) - salt(b));
  }

  name(version) { return this.data.names[version] ?? `v${version}`; }

  label(version, place) { return this.isBlind ? "ABCDE"[place] : this.name(version); }

  differs(pair) {
    const said = this.data.versions.map((v) => pair.pictures[v]?.outcome).filter((o) => o === "reject" || o === "keep");
    return new Set(said).size > 1;
  }

  draw() {
    const only = this.root.querySelector("[name=differ]").checked;
    const pairs = this.data.pairs.filter((pair) => !only || this.differs(pair));
    this.root.querySelector(".count").textContent =
      `${pairs.length} of ${this.data.pairs.length} pairs of prompt and seed`;
    const head = element("tr", {}, element("th", { scope: "col", textContent: "Prompt" }),
      ...this.data.versions.map((v, i) => element("th", { scope: "col", textContent: this.label(v, i) })));
    this.root.querySelector("thead").replaceChildren(head);
    this.root.querySelector("tbody").replaceChildren(...pairs.slice(0, this.shown).map((pair) => this.row(pair)));
    this.root.querySelector(".more").hidden = pairs.length <= this.shown;
  }

  row(pair) {
    const order = this.order(pair);
    const cells = order.map((version, place) => {
      const picture = pair.pictures[version];
      if (!picture) return element("td", {}, element("span", { className: "blank", title: "not drawn yet" }));
      const alt = `${pair.prompt}, ${this.label(version, place)}`;
      const button = element("button", { type: "button", title: "Enlarge and compare" },
        element("img", { src: picture.url, alt, loading: "lazy" }));
      button.addEventListener("click", () => this.open(pair, version));
      const said = this.isBlind ? "" : WORDS[picture.outcome];
      return element("td", {}, button, element("span", { className: `said ${picture.outcome}`, textContent: said }));
    });
    const prompt = element("th", { scope: "row", textContent: pair.prompt });
    prompt.append(element("small", { textContent: `seed ${pair.seed}` }));
    return element("tr", {}, prompt, ...cells);
  }

  open(pair, version) {
    const order = this.order(pair).filter((v) => pair.pictures[v]);
    this.pair = pair;
    this.dialog.querySelector(".prompt").textContent = pair.prompt;
    for (const one of this.dialog.querySelectorAll("select")) {
      one.replaceChildren(...order.map((v, i) => element("option", { value: v, textContent: this.label(v, i) })));
    }
    this.dialog.querySelector("[name=left]").value = order.find((v) => v !== version) ?? version;
    this.dialog.querySelector("[name=right]").value = version;
    this.compare();
    if (!this.dialog.open) this.dialog.showModal();
  }

  compare() {
    const url = (side) => this.pair.pictures[this.dialog.querySelector(`[name=${side}]`).value].url;
    this.dialog.querySelector(".over").src = url("left");
    this.dialog.querySelector(".under").src = url("right");
    this.slide();
  }

  slide() {
    const edge = Number(this.dialog.querySelector("[name=edge]").value);
    this.dialog.querySelector(".over").style.clipPath = `inset(0 ${100 - edge}% 0 0)`;
    this.dialog.querySelector(".pair i").style.left = `${edge}%`;
  }
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const grids = new WeakMap();

export default function mount({ parentElement, data }) {
  const root = parentElement.querySelector(".grid");
  const known = grids.get(root);
  if (known) known.take(data);
  else grids.set(root, new Grid(root, data));
}
