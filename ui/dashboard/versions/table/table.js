// The table arrives as HTML that our template escaped. A row opens by click; its link, by keyboard and in a new tab.
const tables = new WeakMap();

export default function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".ns-versions");
  if (tables.get(root) !== data.html) {
    const focused = root.querySelector("a:focus")?.getAttribute("href");
    root.innerHTML = data.html;
    tables.set(root, data.html);
    if (focused) root.querySelector(`a[href="${focused}"]`)?.focus();
  }
  root.onclick = (event) => {
    const row = event.target.closest("tr[data-version]");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    setTriggerValue("opened", row.dataset.version);
  };
}
