// The pairs of a drawing; a cell is drawn again only when it changed. Prompts are set as text.
class Drawn {
  constructor(root) {
    this.root = root;
    this.viewer = new Viewer(root.querySelector("dialog"));
    this.cells = new Map();
    root.addEventListener("load", ({ target: img }) =>  // `load` does not bubble
      img.classList.toggle("small", img.naturalWidth < img.clientWidth), true);
  }

  take(data, propose) {
    this.data = data;
    const told = this.root.querySelector(".told");
    if (data.said !== this.said) told.replaceChildren(...prose(data.said));
    this.said = data.said;
    told.classList.toggle("wrong", data.isWrong);
    const heads = JSON.stringify(data.sides);
    if (heads !== this.heads) this.root.querySelector(".heads").replaceChildren(...data.sides.map((side) => head(side, propose)));
    this.heads = heads;
    const places = data.rows.map((row) => row.seed).join();
    if (places !== this.places) this.lay(data.rows);
    this.places = places;
    data.rows.forEach((row, index) => row.sides.forEach((side, place) => this.fill(`${index} ${place}`, side, index)));
  }

  lay(rows) {
    this.cells.clear();
    this.root.querySelector(".rows").replaceChildren(...rows.map((row, index) => {
      const pair = element("div", { className: "pair" }, ...row.sides.map((_, place) => {
        const figure = element("figure", {});
        this.cells.set(`${index} ${place}`, { figure, drawn: "" });
        return figure;
      }));
      return element("li", {}, element("p", { className: "seed", textContent: `seed ${row.seed}` }), pair);
    }));
  }

  fill(at, side, index) {
    const cell = this.cells.get(at), wanted = JSON.stringify(side);
    if (cell.drawn === wanted) return;
    cell.drawn = wanted;
    const label = `${this.data.prompt}, ${side.name}`;
    const caption = element("figcaption", { textContent: side.said || "" });
    if (side.url) {
      const frame = element("button", { className: "frame", type: "button", title: "Enlarge" }, element("img", { src: side.url, alt: label }));
      frame.setAttribute("aria-label", `Enlarge: ${label}`);
      frame.addEventListener("click", () => this.enlarge(index));
      cell.figure.replaceChildren(frame, caption);
    } else if (side.coming) {
      const frame = element("div", { className: "frame" }, element("img", { className: "coming", src: side.coming, alt: `${label}, not finished` }));
      const bar = element("progress", { value: side.share, max: 1 });
      bar.setAttribute("aria-label", `${side.name}, ${side.said}`);
      cell.figure.replaceChildren(frame, bar, caption);
    } else {
      cell.figure.replaceChildren(element("div", { className: "frame", textContent: "not drawn yet" }), caption);
    }
  }

  // The finished pairs, from the one that was pressed.
  enlarge(index) {
    const finished = this.data.rows.filter((row) => row.sides.every((side) => side.url));
    const pairs = finished.map((row) => ({ ...row, prompt: this.data.prompt }));
    const at = finished.indexOf(this.data.rows[index]);
    if (at >= 0) this.viewer.show(pairs, at);
  }
}

// What stands between backticks is a command.
function prose(said) {
  return said.split("`").map((words, place) => (place % 2 ? element("code", { textContent: words }) : words));
}

function head(side, propose) {
  const parts = [element("b", { textContent: side.name })];
  if (side.own) parts.push(element("small", { textContent: side.own }));
  if (side.act) {
    const button = element("button", { type: "button", textContent: side.label });
    button.addEventListener("click", () => propose(side.act));
    parts.push(button);
  }
  return element("div", {}, ...parts);
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const shown = new WeakMap();

export default function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (!shown.has(root)) shown.set(root, new Drawn(root));
  shown.get(root).take(data, (act) => setTriggerValue("proposed", act));
}
