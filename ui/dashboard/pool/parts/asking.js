// What pages with routes share: asking, telling what went wrong, building elements.
// Our own errors come as a sentence.
function tell(place, error) {
  const problem = place.querySelector(place.tagName === "DIALOG" ? ".problem" : ":scope > .problem");
  problem.hidden = !error;
  problem.textContent = error?.message ?? "";
}

async function ask(address, body) {
  const sent = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(address, { cache: "no-store", ...sent });
  } catch {
    throw new Error("The server does not answer; nothing was changed. Try again in a moment.");
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error ?? `The server answered ${answer.status}.`);
  return found;
}

function plural(n, word) { return `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`; }

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
