// Sends the chosen files one by one to the server's disk, a few at once, and says how far that is.
const AT_ONCE = 3;
const SHOWN_FAILURES = 5;
const GIB = 2 ** 30;
const known = new WeakSet();

/** The files of what was dropped, folders with all in them; each with its place. */
async function filesOf(items) {
  const found = [];
  const walk = async (entry, place) => {
    if (entry.isFile) {
      found.push([await new Promise((done, fail) => entry.file(done, fail)), place + entry.name]);
      return;
    }
    const reader = entry.createReader(); // it gives a hundred at a time
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) return;
      for (const one of some) await walk(one, `${place}${entry.name}/`);
    }
  };
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean); // they are gone after a wait
  for (const entry of entries) await walk(entry, "");
  return found;
}

const picked = (input) => [...input.files].map((file) => [file, file.webkitRelativePath || file.name]);

const COMMAND = "use the command `naysayer import pictures` on the server";
const counted = (n) => n.toLocaleString("en");

/** Those that the server reads, and why nothing is sent; hidden files are passed over. */
export function sift(files, limits) {
  const ends = (file, endings) => endings.some((end) => file.name.toLowerCase().endsWith(end));
  const read = files.filter(([file]) => !file.name.startsWith(".") && ends(file, limits.endings));
  const bytes = read.reduce((sum, [file]) => sum + file.size, 0);
  const tooLarge = read.find(([file]) => file.size > limits.mostBytesEach && !ends(file, [".zip"]));
  let why = "";
  if (!read.length) why = "There is no picture, ZIP or list among these files.";
  else if (read.length > limits.mostFiles)
    why = `These are ${counted(read.length)} files, ${counted(limits.mostFiles)} are taken at once here. `
      + `Send a ZIP, or ${COMMAND}.`;
  else if (bytes > limits.mostBytes)
    why = `These are ${(bytes / GIB).toFixed(1)} GiB, ${limits.mostBytes / GIB} are taken at once here. `
      + `Send fewer, or ${COMMAND}.`;
  else if (tooLarge)
    why = `${tooLarge[0].name} is larger than any picture that is read (${limits.mostBytesEach / 2 ** 20} MiB).`;
  return { read, bytes, why };
}

/** How long, as people say it. */
export function span(seconds) {
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min` : `${Math.max(1, Math.round(seconds))} s`;
}

/** Sends one file; the promise gives why it was refused, or nothing. */
function post(address, file, place, { running, onBytes }) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    running.add(request);
    const end = (why) => {
      running.delete(request);
      onBytes(file.size);
      done(why);
    };
    request.open("POST", `${address}?name=${encodeURIComponent(place)}`);
    request.upload.addEventListener("progress", (event) => onBytes(Math.min(event.loaded, file.size)));
    request.addEventListener("load", () => {
      if (request.status === 200) return end("");
      let why = `the server answered ${request.status}`;
      try { why = JSON.parse(request.responseText).error ?? why; } catch { /* a proxy's page */ }
      end(why);
    });
    request.addEventListener("error", () => end("the connection was lost; choose the files again"));
    request.addEventListener("abort", () => end(""));
    request.send(file);
  });
}

async function send(files, bytes, address, { say, running, isStopped }) {
  const done = new Map();
  const began = performance.now();
  const failed = [];
  let next = 0;
  let arrived = 0;
  const tell = () => {
    const sent = [...done.values()].reduce((sum, one) => sum + one, 0);
    const share = bytes ? sent / bytes : 1;
    const seconds = (performance.now() - began) / 1000;
    const isTold = share > 0.02 && seconds > 2 && share < 1;
    const left = isTold ? `, about ${span((seconds / share) * (1 - share))} left` : "";
    say(`${arrived} of ${files.length} files sent${left}`, share);
  };
  const lane = async () => {
    while (next < files.length && !isStopped()) {
      const [file, place] = files[next++];
      const onBytes = (n) => {
        done.set(place, n);
        tell();
      };
      const why = await post(address, file, place, { running, onBytes });
      if (why) failed.push(`${place}: ${why}`);
      else arrived += 1;
      tell();
    }
  };
  tell();
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return { arrived, failed };
}

/** What is taken, and how much. */
function noteWords({ mostFiles, mostBytes }) {
  return "PNG, JPEG and WebP with their metadata, the texts beside them, and a list (.csv, .tsv or .jsonl) of what "
    + `files do not say. Up to ${counted(mostFiles)} files and ${mostBytes / GIB} GiB at once; for more: `
    + "naysayer import pictures FOLDER on the server.";
}

/** Why files were not taken, a line each. */
function showFailures(place, lines) {
  place.hidden = !lines.length;
  const more = lines.length > SHOWN_FAILURES ? [`and ${lines.length - SHOWN_FAILURES} more`] : [];
  place.replaceChildren(...[...lines.slice(0, SHOWN_FAILURES), ...more].map((line) => {
    const p = document.createElement("p");
    p.textContent = line;
    return p;
  }));
}

export default function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".pictures");
  if (known.has(root)) return;
  known.add(root);
  const [drop, sending, failed] = [".drop", ".sending", ".failed"].map((part) => root.querySelector(part));
  const running = new Set();
  let isStopped = false;
  root.querySelector(".note").textContent = noteWords(data);

  const fail = (lines) => showFailures(failed, lines);

  const take = async (files) => {
    const { read, bytes, why } = sift(files, data);
    fail(why ? [why] : []);
    if (why) return;
    isStopped = false;
    drop.hidden = true;
    sending.hidden = false;
    const say = (words, share) => {
      root.querySelector(".words").textContent = words;
      root.querySelector("progress").value = share;
    };
    const result = await send(read, bytes, data.address, { say, running, isStopped: () => isStopped });
    fail(result.failed);
    if (result.arrived && !isStopped) {
      root.querySelector(".words").textContent = "All files are here.";
      setTriggerValue("sent", { files: result.arrived, at: Date.now() });
      return;
    }
    drop.hidden = false;
    sending.hidden = true;
  };

  for (const input of root.querySelectorAll("input")) {
    input.addEventListener("change", () => {
      const files = picked(input);
      input.value = ""; // the same may be chosen again
      if (files.length) take(files);
    });
  }
  root.querySelector(".stop").addEventListener("click", () => {
    isStopped = true;
    for (const request of [...running]) request.abort();
  });
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(await filesOf(event.dataTransfer.items));
  });
}
