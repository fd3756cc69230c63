// What the parts of the page share.
const ADDRESS = "/naysayer/pool";
const SIZE = 60;
const WORDS = {
  sort: { newest: "Newest first", oldest: "Oldest first", prompt: "By prompt", "most votes": "Most votes first", check: "Most like rejects first (check)" },
  which: { rejects: "Rejects", keeps: "Keeps", disputed: "Disputed", overruled: "Overruled", "look again": "Look again", "taken out": "Taken out" },
};
const LOOK_AGAIN = "The newest version's check was not trained on these votes and expects the opposite: below each is its chance of a reject. Another rater, or the same one, is asked again without being told; only the answer can change anything.";
const FILTERS = ["which", "prompt", "reason", "version", "rater", "accord", "since", "until", "sort"];

function fill(select, value, options) {
  select.replaceChildren(...options.map(([one, words]) => element("option", { value: one, textContent: words })));
  select.value = value;
}

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
