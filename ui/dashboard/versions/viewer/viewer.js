// Two pictures of one prompt and seed, large; arrow keys go through the pairs. Prompts are set as text.
class Viewer {
  constructor(dialog) {
    this.dialog = dialog;
    this.images = [...dialog.querySelectorAll("img")];
    this.captions = [...dialog.querySelectorAll("figcaption")];
    this.edge = dialog.querySelector("[name=edge]");
    const on = (name, act) => dialog.querySelector(`[name=${name}]`).addEventListener("click", act);
    on("previous", () => this.step(-1));
    on("next", () => this.step(1));
    on("close", () => dialog.close());
    dialog.querySelector("[name=overlay]").addEventListener("change", () => this.lay());
    this.edge.addEventListener("input", () => this.lay());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("keydown", (event) => this.press(event));
    // A picture that is shown larger than it is keeps its pixels sharp.
    this.images.forEach((image) => image.addEventListener("load", () =>
      image.classList.toggle("small", image.naturalWidth < image.clientWidth)));
  }

  // `pairs`: prompt, seed and two sides, each with url, name and what was said of it.
  show(pairs, index) {
    this.pairs = pairs;
    this.index = index;
    this.draw();
    if (!this.dialog.open) this.dialog.showModal();
  }

  step(by) {
    this.index = (this.index + by + this.pairs.length) % this.pairs.length;
    this.draw();
  }

  press(event) {
    event.stopPropagation();  // a dialog around this one stays open
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.target === this.edge) return;
    event.preventDefault();
    this.step(by);
  }

  draw() {
    const pair = this.pairs[this.index];
    this.dialog.querySelector(".prompt").textContent = pair.prompt;
    this.dialog.querySelector(".place").textContent = `${this.index + 1} of ${this.pairs.length} · seed ${pair.seed}`;
    pair.sides.forEach((side, place) => {
      this.images[place].src = side.url;
      this.images[place].alt = `${pair.prompt}, ${side.name}`;
      this.captions[place].textContent = [side.name, side.said].filter(Boolean).join(", ");
      this.captions[place].className = side.said;
    });
    this.lay();
  }

  lay() {
    const isOver = this.dialog.querySelector("[name=overlay]").checked;
    this.dialog.querySelector(".sides").classList.toggle("over", isOver);
    this.edge.hidden = !isOver;
    this.images[0].style.clipPath = isOver ? `inset(0 ${100 - this.edge.value}% 0 0)` : "";
  }
}
