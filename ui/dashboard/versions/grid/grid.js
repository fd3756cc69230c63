// The same prompts and seeds, drawn by two versions. Prompts come from outside, so they are set as text.
const STEP = 24;
const KINDS = { all: "All", better: "Better", worse: "Worse", differ: "Verdicts differ", same: "The same", open: "Not judged" };
const EMPTY = {
  better: "No pair got better.", worse: "No pair got worse.", differ: "No pair was judged differently.",
  same: "No pair was judged the same.", open: "Every pair is judged.", all: "No pair is drawn by both yet.",
};

class Grid {
  constructor(root, data) {
    this.root = root;
    this.shown = STEP;
    this.kind = "all";
    this.viewer = new Viewer(root.querySelector("dialog"));
    root.querySelector("[name=blind]").addEventListener("change", () => this.draw());
    root.querySelector(".more").addEventListener("click", () => { this.shown += STEP; this.draw(); });
    root.querySelector("fieldset").addEventListener("change", ({ target }) => { this.kind = target.value; this.draw(); });
    root.addEventListener("load", ({ target: img }) =>  // `load` does not bubble
      img.classList.toggle("small", img.naturalWidth < img.clientWidth), true);
    this.take(data);
  }

  take(data) {
    if (JSON.stringify(data) === JSON.stringify(this.data)) return;
    this.data = data;
    this.draw();
  }

  get isBlind() { return this.root.querySelector("[name=blind]").checked; }

  is(pair, kind) {
    return kind === "all" || pair.kind === kind || (kind === "differ" && ["better", "worse"].includes(pair.kind));
  }

  // Blind: each pair has its own order, which says nothing about the versions and never changes.
  view(pair) {
    if (!this.isBlind) return pair;
    const order = Number(pair.seed) % 2 ? [1, 0] : [0, 1];
    return { ...pair, sides: order.map((place, i) => ({ ...pair.sides[place], name: "AB"[i], said: "" })) };
  }

  draw() {
    this.choices();
    const pairs = this.data.pairs.filter((pair) => this.is(pair, this.kind)).map((pair) => this.view(pair));
    this.root.querySelector(".count").textContent = plural(pairs.length, this.data.pairs.length);
    this.root.querySelector("ul").replaceChildren(...pairs.slice(0, this.shown).map((_, i) => this.item(pairs, i)));
    this.root.querySelector(".more").hidden = pairs.length <= this.shown;
    const none = this.root.querySelector(".none");
    none.hidden = pairs.length > 0;
    none.textContent = EMPTY[this.kind];
  }

  choices() {
    const kinds = Object.keys(KINDS).map((kind) => {
      const n = this.data.pairs.filter((pair) => this.is(pair, kind)).length;
      const box = element("input", { type: "radio", name: "kind", value: kind, checked: kind === this.kind });
      return element("label", {}, box, element("span", { textContent: `${KINDS[kind]} ${n}` }));
    });
    const legend = this.root.querySelector("legend");
    const focused = this.root.querySelector("[name=kind]:focus");
    legend.parentElement.replaceChildren(legend, ...kinds);
    if (focused) this.root.querySelector("[name=kind]:checked").focus();
  }

  item(pairs, index) {
    const pair = pairs[index];
    const sides = pair.sides.map((side) => element("span", { className: "side" },
      element("img", { src: side.url, alt: `${pair.prompt}, ${side.name}`, loading: "lazy" }),
      element("small", { className: side.said, textContent: [side.name, side.said].filter(Boolean).join(", ") })));
    const button = element("button", { type: "button", title: "Enlarge" }, ...sides);
    button.addEventListener("click", () => this.viewer.show(pairs, index));
    return element("li", {}, button, element("p", { textContent: pair.prompt }),
      element("p", { className: "seed", textContent: `seed ${pair.seed}` }));
  }
}

function plural(shown, all) { return `${shown} of ${all} ${all === 1 ? "pair" : "pairs"}`; }

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const grids = new WeakMap();

export default function mount({ parentElement, data }) {
  const root = parentElement.querySelector(".root");
  const known = grids.get(root);
  if (known) known.take(data);
  else grids.set(root, new Grid(root, data));
}
