// The ways out of a version arrive as HTML that our template escaped.
const drawn = new WeakMap();

export default function mount({ parentElement, data }) {
  const root = parentElement.querySelector(".root");
  if (drawn.get(root) === data.html) return;
  root.innerHTML = data.html;
  drawn.set(root, data.html);
  root.onclick = async ({ target }) => {
    if (!target.dataset.copy) return;
    await navigator.clipboard.writeText(target.dataset.copy);
    target.textContent = "Copied";
  };
}
