// Votes wait here until the server says that they are committed. One localStorage entry a vote, so that two tabs
// never overwrite each other's; sending one twice does no harm, because the server knows its request id.
const VOTE = "naysayer.vote.";
const BATCH = 100;
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8000;
const PATIENCE_MS = 15000;

// Used only where the browser forbids or has filled localStorage; such votes last as long as the tab.
const inMemory = new Map();
let latest = 0;

function newId() {
  // randomUUID exists in secure contexts alone: not on http://192.168.…
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    inMemory.set(key, value);
  }
}

function forget(key) {
  inMemory.delete(key);
  try {
    localStorage.removeItem(key);
  } catch {
    // forbidden: then there was nothing to remove
  }
}

function recall(key) {
  try {
    return localStorage.getItem(key) ?? inMemory.get(key) ?? null;
  } catch {
    return inMemory.get(key) ?? null;
  }
}

function keys() {
  try {
    return [...Object.keys(localStorage), ...inMemory.keys()];
  } catch {
    return [...inMemory.keys()];
  }
}

/** The votes that are not known to be committed, oldest first. */
function waiting() {
  const found = [];
  for (const key of keys().filter((key) => key.startsWith(VOTE))) {
    try {
      found.push(JSON.parse(recall(key)));
    } catch {
      forget(key);
    }
  }
  return found.filter(Boolean).sort((a, b) => a.order - b.order);
}

/** Puts a vote in the outbox. `was`: the verdict that an undo takes back; `more`: its page, reasons and marks. */
function post(rater, image, verdict, was = "", more = {}) {
  // Never two alike and never backwards, whatever the clock does: an undo must arrive after its vote.
  latest = Math.max(latest + 1, Date.now(), (waiting().at(-1)?.order ?? 0) + 1);
  const { id, url, prompt, width, height, shownAt } = image;
  const entry = {
    order: latest, rater, was, image: { id, url, prompt, width, height },
    vote: {
      request_id: newId(), image_id: id, verdict, page: "one", ...more,
      shown_at: shownAt ? new Date(shownAt).toISOString() : null, decided_at: new Date().toISOString(),
    },
  };
  remember(VOTE + entry.vote.request_id, JSON.stringify(entry));
}

/** Each image's last unsent vote of this rater: image id -> entry. */
function lastWords(rater) {
  return new Map(waiting().filter((entry) => entry.rater === rater).map((entry) => [entry.image.id, entry]));
}

/** By how many the unsent votes will change this rater's count. */
function unsentCount(rater) {
  const counts = (verdict) => verdict === "reject" || verdict === "keep";
  return waiting()
    .filter((entry) => entry.rater === rater)
    .reduce((sum, { vote, was }) => sum + counts(vote.verdict) - counts(was), 0);
}

async function ask(path, body) {
  const response = await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    keepalive: true, // a vote on its way survives the closing of the tab
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.error ?? `the server answered ${response.status}`), { status: response.status });
}

/** Sends the outbox, one batch at a time, until it is empty; tries again for as long as it takes. */
class Sender {
  constructor({ onAnswer, onRefused, onTrouble }) {
    Object.assign(this, { onAnswer, onRefused, onTrouble });
    this.isSending = false;
    this.wait = FIRST_WAIT_MS;
    this.limit = BATCH;
  }

  async send() {
    if (this.isSending || this.isStopped) return;
    this.isSending = true;
    clearTimeout(this.timer);
    try {
      for (let batch = this.batch(); batch.length && !this.isStopped; batch = this.batch()) await this.deliver(batch);
    } catch (error) {
      this.timer = setTimeout(() => this.send(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
      this.onTrouble(error);
    } finally {
      this.isSending = false;
    }
  }

  batch() {
    const all = waiting();
    return all.filter((entry) => entry.rater === all[0].rater).slice(0, this.limit);
  }

  async deliver(batch) {
    const rater = batch[0].rater;
    try {
      const answer = await ask("/naysayer/votes", { rater, votes: batch.map((entry) => entry.vote) });
      for (const { request_id, refused } of answer.receipts) {
        forget(VOTE + request_id);
        if (refused) this.onRefused(refused);
      }
      [this.wait, this.limit] = [FIRST_WAIT_MS, BATCH];
      this.onAnswer(answer, rater);
    } catch (error) {
      if (error.status !== 400) throw error;
      // Malformed, and it always will be: find the one, so that it does not hold up the others.
      if (batch.length === 1) {
        forget(VOTE + batch[0].vote.request_id);
        this.onRefused(error.message);
      }
      this.limit = 1;
    }
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
  }
}
