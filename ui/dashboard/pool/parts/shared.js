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
