// The next pictures: fetched, loaded and decoded before their turn.
import { keptNotes } from "./noted.js";
import { ask, lastUnsentVotes } from "./outbox.js";

const DECODE_AFTER_MS = 40;
const RELOAD_MS = 3000;
const LOW = 3 / 4;

export class Queue {
  constructor(page) {
    this.page = page;
    this.reset();
  }

  reset() {
    // Whether the server has no further pictures: its last answer held fewer than were asked for.
    Object.assign(this, { pictures: [], voted: new Set(), isAsking: false, hasAll: false });
  }

  async refill() {
    if (this.isAsking || !this.page.rater) return;
    this.isAsking = true;
    const rater = this.page.rater;
    const before = lastUnsentVotes(rater);
    // The server knows of every vote it has acknowledged: what it sends again is to be voted on again.
    for (const id of this.voted) if (!before.has(id)) this.voted.delete(id);
    try {
      const has_none = !this.pictures.length;
      const wanted = { rater, count: this.wanted, recent: !this.page.hasHistory, has_none };
      const { acknowledged } = this.page.sender;
      const answer = await ask("./naysayer/next", wanted, this.page.limits.timeoutMs);
      if (rater !== this.page.rater) return;
      if (acknowledged !== this.page.sender.acknowledged) delete answer.progress; // it may lack new votes
      // The answer may be older than an acknowledgement that came meanwhile, so what was unsent then counts too.
      const unsent = new Map([...before, ...lastUnsentVotes(rater)]);
      this.page.restoreHistory(answer.recent, unsent);
      this.dropWithdrawn(answer.images, unsent);
      this.add(answer.images, unsent);
      this.hasAll = answer.images.length < wanted.count;
      this.page.promptLine.makeRoom(this.pictures);
      this.page.guidelines.update(answer.guidelines);
      this.page.update(answer, rater);
      this.page.show();
    } catch (error) {
      if (rater === this.page.rater) this.page.onNoAnswer(error);
    } finally {
      this.isAsking = false;
    }
  }

  /** Drops pictures that the server no longer sends: their version was replaced, or their file is damaged. */
  dropWithdrawn(images, unsent) {
    const sent = new Set(images.map((image) => image.id));
    const near = this.page.mode.near;
    const isNear = ({ isBroken }, place) => place < near && !isBroken;
    this.pictures = this.pictures.filter((one, place) => isNear(one, place) || sent.has(one.id) || unsent.has(one.id));
  }

  add(images, unsent = lastUnsentVotes(this.page.rater)) {
    const held = new Map(this.pictures.map((picture) => [picture.id, picture]));
    const isDecided = (id) => (unsent.get(id)?.vote.verdict ?? "undo") !== "undo";
    const notes = keptNotes(this.page.rater);
    for (const image of images) {
      image.noted ??= notes.get(image.id);
      const picture = held.get(image.id);
      // The outbox may remember an older address than the server sends.
      if (picture) picture.url = image.url;
      else if (!this.voted.has(image.id) && !isDecided(image.id)) this.pictures.push(this.load(image));
    }
  }

  load(picture) {
    const img = new Image();
    img.alt = picture.prompt;
    img.draggable = false;
    img.decoding = "sync";
    img.onload = () => {
      Object.assign(picture, { isReady: true, isBroken: false });
      if (this.isOnScreen(picture)) this.page.show();
    };
    img.onerror = () => {
      if (!picture.isBroken) this.refill(); // the server may have taken it back
      picture.isBroken = true;
      if (this.isOnScreen(picture)) this.page.show();
      setTimeout(() => this.pictures.includes(picture) && this.load(picture), RELOAD_MS);
    };
    img.src = picture.url;
    return Object.assign(picture, { img });
  }

  /** How many pictures to hold. */
  get wanted() {
    return Math.min(this.page.limits.maxQueue, this.page.mode.wanted);
  }

  /** Whether to ask for more: a few votes at a time, because each answer costs the server more than a vote. */
  get isLow() {
    return this.pictures.length <= this.wanted * LOW;
  }

  isOnScreen(picture) {
    return this.pictures.indexOf(picture) < this.page.mode.size;
  }

  /** Decodes after the picture on screen is painted: on a busy machine decoding would delay it. */
  decodeSoon() {
    clearTimeout(this.decoding);
    this.decoding = setTimeout(() => this.decode(), DECODE_AFTER_MS);
  }

  decode() {
    for (const { isReady, img } of this.pictures.slice(1, this.page.mode.ahead))
      if (isReady) img.decode().catch(() => {});
  }

  /** Removes a picture that was voted on. */
  take(picture) {
    this.pictures = this.pictures.filter((other) => other !== picture);
    this.voted.add(picture.id);
  }

  /** Makes a picture whose vote was undone the next one. */
  putBack(picture) {
    this.voted.delete(picture.id);
    delete picture.shownAt;
    this.pictures = [this.load(picture), ...this.pictures.filter(({ id }) => id !== picture.id)];
  }

  /** Removes a picture that was voted on in another tab, unless the rater is looking at it. */
  remove({ id }) {
    const pinned = this.page.mode.pinned;
    this.pictures = this.pictures.filter((picture, place) => place < pinned || picture.id !== id);
  }
}
