// The card arrives as HTML that our template escaped; here its buttons and pictures come to life.
class Card {
  constructor(root) {
    this.root = root;
    this.viewer = new Viewer(root.querySelector("dialog"));
    this.at = root.querySelector(".card-at");
    this.at.addEventListener("click", (event) => this.click(event));
  }

  take(data, tell) {
    this.tell = tell;
    if (this.html === data.html) return;
    this.html = data.html;
    this.pairs = data.pairs;
    this.at.innerHTML = data.html;
    this.at.querySelectorAll("img").forEach((image) => image.addEventListener("load", () =>
      image.classList.toggle("small", image.naturalWidth < image.clientWidth)));
  }

  click(event) {
    const pair = event.target.closest("[data-pair]");
    const act = event.target.closest("[data-act]");
    if (pair) this.viewer.show(this.pairs, Number(pair.dataset.pair));
    if (act) this.tell(act.dataset.act);
  }
}

const cards = new WeakMap();

export default function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (!cards.has(root)) cards.set(root, new Card(root));
  cards.get(root).take(data, (act) => setTriggerValue("act", act));
}
