// Votes wait here until the server says that they are committed. Each vote is one localStorage entry, so that two tabs
// never overwrite each other's votes. Sending a vote twice does no harm: the server knows its request id.
import { forget, recall, remember, storedKeys } from "./storage.js";

export const VOTE = "naysayer.vote.";

let latest = 0;

export function newId() {
  // randomUUID exists only in secure contexts: not on http://192.168.…
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The votes that are not known to be committed, oldest first. */
export function unsentVotes() {
  const found = [];
  for (const key of storedKeys().filter((key) => key.startsWith(VOTE))) {
    try {
      found.push(JSON.parse(recall(key)));
    } catch {
      forget(key);
    }
  }
  return found.filter(Boolean).sort((a, b) => a.order - b.order);
}

/**
 * Puts a vote in the outbox; a reject takes along what is noted on the picture. `was`: the verdict that it replaces;
 * `page`: where it was given; `decidedAt`: when, for a vote that only adds to an earlier one; `guidelines`: the
 * version of them that the rater was shown.
 */
export function post(rater, picture, verdict, { was = "", page, decidedAt = Date.now(), guidelines = null }) {
  // Unique and increasing, whatever the clock does: an undo must arrive after its vote.
  latest = Math.max(latest + 1, Date.now(), (unsentVotes().at(-1)?.order ?? 0) + 1);
  const { id, url, prompt, unread, width, height, shownAt, noted } = picture;
  const entry = {
    order: latest, rater, was, image: { id, url, prompt, unread, width, height, noted },
    vote: {
      request_id: newId(), image_id: id, verdict, page, guidelines, ...(verdict === "reject" ? noted : {}),
      shown_at: shownAt ? new Date(shownAt).toISOString() : null, decided_at: new Date(decidedAt).toISOString(),
    },
  };
  remember(VOTE + entry.vote.request_id, JSON.stringify(entry));
}

/** This rater's last unsent vote on each picture: picture id -> outbox entry. */
export function lastUnsentVotes(rater) {
  return new Map(unsentVotes().filter((entry) => entry.rater === rater).map((entry) => [entry.image.id, entry]));
}

/** Whether a verdict counts as an answer: a skip or an undo does not. */
export const isAnswer = (verdict) => verdict === "reject" || verdict === "keep";

/** By how many the unsent votes will change this rater's count. */
export function unsentCount(rater) {
  return unsentVotes()
    .filter((entry) => entry.rater === rater)
    .reduce((sum, { vote, was }) => sum + isAnswer(vote.verdict) - isAnswer(was), 0);
}

/**
 * The server's answer. Throws an Error with the answer's status, and `retryMs` where the answer says when to try again;
 * without a status when no answer came in time.
 */
export async function ask(path, body, timeoutMs) {
  const response = await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    keepalive: true, // lets a request finish after the tab is closed
    signal: AbortSignal.timeout(timeoutMs),
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const retryMs = 1000 * Number(response.headers?.get("retry-after")) || undefined;
  const sentence = answer.error ?? `the server answered ${response.status}`;
  throw Object.assign(new Error(sentence), { status: response.status, retryMs });
}

/** Sends the outbox, one batch at a time, until it is empty. It never gives up. */
export class Sender {
  constructor({ limits, rater, onAnswer, onRefused, onTrouble }) {
    Object.assign(this, { limits, rater, onAnswer, onRefused, onTrouble });
    this.isSending = false;
    this.acknowledged = 0;
    this.notBefore = 0;
    this.resetPace();
  }

  get isPaused() {
    return Date.now() < this.notBefore;
  }

  resetPace() {
    [this.waitMs, this.batchSize] = [this.limits.firstResendMs, this.limits.batchSize];
  }

  async send() {
    if (this.isSending || this.isStopped) return;
    clearTimeout(this.timer);
    // The server asked for a pause: the votes are safe here meanwhile.
    if (this.isPaused) return this.sendIn(this.notBefore - Date.now());
    this.isSending = true;
    try {
      for (let batch = this.batch(); batch.length && !this.isStopped; batch = this.batch()) await this.deliver(batch);
    } catch (error) {
      if (error.retryMs) this.notBefore = Date.now() + error.retryMs;
      this.sendIn(error.retryMs ?? this.waitMs);
      if (!error.retryMs) this.waitMs = Math.min(this.waitMs * 2, this.limits.lastResendMs);
      this.onTrouble(error);
    } finally {
      this.isSending = false;
    }
  }

  sendIn(waitMs) {
    this.timer = setTimeout(() => this.send(), waitMs);
  }

  /** The next votes of one rater: of the one who rates now first, because another's may have to wait for a sign-in. */
  batch() {
    const all = unsentVotes();
    const { rater } = all.find((entry) => entry.rater === this.rater()) ?? all[0] ?? {};
    return all.filter((entry) => entry.rater === rater).slice(0, this.batchSize);
  }

  async deliver(batch) {
    const rater = batch[0].rater;
    const votes = batch.map((entry) => entry.vote);
    try {
      const answer = await ask("./naysayer/votes", { rater, votes }, this.limits.timeoutMs);
      this.acknowledged += 1;
      for (const { request_id, refused } of answer.receipts) {
        forget(VOTE + request_id);
        if (refused) this.onRefused(refused);
      }
      this.resetPace();
      this.onAnswer(answer, rater);
    } catch (error) {
      if (error.status !== 400) throw error;
      // The server will never take a malformed vote. Send them one by one, so that it does not hold up the others.
      if (batch.length === 1) {
        forget(VOTE + batch[0].vote.request_id);
        this.onRefused(error.message);
      }
      this.batchSize = 1;
    }
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
  }
}
