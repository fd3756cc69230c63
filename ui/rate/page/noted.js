// What is noted on pictures that wait for a vote: kept in this browser, so that a reload brings it back.
import { recall, remember } from "./storage.js";

const NOTED = "naysayer.noted.";
const MOST = 50;

/** The rater's notes: picture id -> reasons and marks. */
export function keptNotes(rater) {
  try {
    return new Map(JSON.parse(recall(NOTED + rater)));
  } catch {
    return new Map();
  }
}

export function keepNotes(rater, { id, noted }) {
  const kept = keptNotes(rater);
  kept.delete(id);
  remember(NOTED + rater, JSON.stringify([...kept, [id, noted]].slice(-MOST)));
}
