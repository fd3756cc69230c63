// Rows with boxes to tick and buttons to press. Their HTML comes from our templates, which escape every word.
class Rows {
  constructor(root, tell) {
    this.root = root;
    this.tell = tell;
    this.shown = "";
    root.addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-do]");
      if (button) this.press(button);
      const copy = target.closest("button[data-copy]");
      if (copy) this.copy(copy);
    });
    root.addEventListener("change", ({ target }) => {
      if (target.name === "all") this.boxes().forEach((box) => { box.checked = target.checked; });
      this.count();
    });
  }

  // Ticked boxes and the focus stay where the same rows come again.
  take(html) {
    if (html === this.shown) return;
    const ticked = new Set(this.chosen());
    const focus = this.root.getRootNode().activeElement;
    const was = focus && this.root.contains(focus) ? [focus.dataset.do, focus.dataset.id] : null;
    this.root.innerHTML = html;
    this.shown = html;
    this.boxes().forEach((box) => { box.checked = ticked.has(box.value); });
    this.count();
    if (was) [...this.root.querySelectorAll("button[data-do]")].find((b) => b.dataset.do === was[0] && b.dataset.id === was[1])?.focus();
  }

  boxes() { return [...this.root.querySelectorAll("input[name=chosen]")]; }

  chosen() { return this.boxes().filter((box) => box.checked).map((box) => box.value); }

  count() {
    const chosen = this.chosen();
    const bar = this.root.querySelector(".choice");
    if (bar) {
      bar.classList.toggle("some", chosen.length > 0);
      bar.querySelectorAll("button[data-do]").forEach((button) => { button.disabled = !chosen.length; });
      bar.querySelector("output").textContent = chosen.length ? `${chosen.length} chosen` : "none chosen";
    }
    const all = this.root.querySelector("input[name=all]");
    if (all) {
      all.checked = chosen.length > 0 && chosen.length === this.boxes().length;
      all.indeterminate = chosen.length > 0 && !all.checked;
    }
  }

  // Without a secure address there is no clipboard: then the text is selected, for the person to copy.
  async copy(button) {
    const field = button.parentElement.querySelector("input");
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Press Ctrl+C";
    }
  }

  press(button) {
    const ids = button.dataset.id === undefined ? this.chosen() : [button.dataset.id];
    this.tell({ do: button.dataset.do, ids, at: Date.now() });
    if (button.dataset.id === undefined) this.boxes().forEach((box) => { box.checked = false; });
    this.count();
  }
}

const known = new WeakMap();

export default function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".rows");
  if (!known.has(root)) known.set(root, new Rows(root, (pressed) => setTriggerValue("pressed", pressed)));
  known.get(root).take(data.html);
}
