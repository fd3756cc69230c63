// Reads a file in the browser and sends what it holds as a value: Streamlit's own uploads are closed.
const known = new WeakSet();

async function send(input, { most }, { tell, say }) {
  const [file] = input.files;
  input.value = ""; // the same file may be chosen again
  if (!file) return;
  if (file.size > most) {
    say(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB, ${(most / 1e6).toFixed(1)} are allowed here; use the command below`);
    return;
  }
  say(`${file.name} is being read…`);
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    say("");
    tell({ name: file.name, content: reader.result.split(",", 2)[1] ?? "", at: Date.now() });
  });
  reader.addEventListener("error", () => say(`${file.name} cannot be read; choose it again`));
  reader.readAsDataURL(file);
}

export default function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".file");
  if (known.has(root)) return;
  known.add(root);
  const input = root.querySelector("input");
  input.accept = data.accept;
  const say = (words) => { root.querySelector("p").textContent = words; };
  input.addEventListener("change", () => send(input, data, { say, tell: (file) => setTriggerValue("chosen", file) }));
}
