// What the parts of the page share.
const ADDRESS = "./naysayer/pool";
const SIZE = 60;
const WORDS = {
  sort: { newest: "Newest first", oldest: "Oldest first", prompt: "By prompt", "most votes": "Most votes first", check: "Most like rejects first (check)" },
  which: { rejects: "Rejects", keeps: "Keeps", disputed: "Disputed", overruled: "Overruled", "look again": "Look again", "taken out": "Taken out" },
};
const LOOK_AGAIN = "The newest version's check was not trained on these votes and expects the opposite: below each is its chance of a reject. Another rater, or the same one, is asked again without being told; only the answer can change anything.";
const NOTHING = {
  rejects: "No rejects yet. Pictures that raters reject on Rate come here, and train the next version.",
  keeps: "No keeps yet. Pictures that raters keep on Rate come here.",
  disputed: "No disputed pictures: nowhere do raters contradict each other.",
  overruled: "No overruled pictures: nobody decided against the votes.",
  "look again": "No vote waits for a second look.",
  "taken out": "Nothing was taken out of the pool.",
};
const FILTERS = ["which", "prompt", "reason", "version", "rater", "accord", "since", "until", "sort"];

function fill(select, value, options) {
  select.replaceChildren(...options.map(([one, words]) => element("option", { value: one, textContent: words })));
  select.value = value;
}
