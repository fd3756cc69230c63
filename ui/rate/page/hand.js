// The pictures that come next: asked for, loaded and decoded before their turn.
const HOLD = 24; // pictures kept ready: twenty presses at once still find one each
const MOST_HELD = 64; // the server gives no more
const DECODED = 8; // of these are kept decoded
const NEAR = 2; // on screen or just about to be: these stay, whatever the server says
const DECODE_AFTER_MS = 40;
const LOAD_AGAIN_MS = 3000;

class Hand {
  constructor(desk) {
    this.desk = desk;
    this.reset();
  }

  reset() {
    Object.assign(this, { queue: [], done: new Set(), isAsking: false });
  }

  async refill() {
    if (this.isAsking || !this.desk.rater) return;
    this.isAsking = true;
    const rater = this.desk.rater;
    const before = lastWords(rater);
    // The server knows of every vote it has acknowledged: what it gives again is to be judged again.
    for (const id of this.done) if (!before.has(id)) this.done.delete(id);
    try {
      const answer = await ask("/naysayer/next", { rater, count: this.wanted });
      if (rater !== this.desk.rater) return;
      // The answer may be older than an acknowledgement that came meanwhile: what was unsent then counts as well.
      const words = new Map([...before, ...lastWords(rater)]);
      this.desk.recallHistory(answer.recent, words);
      this.drop(answer.images, words);
      this.add(answer.images, words);
      this.desk.hear(answer, rater);
      this.desk.show();
    } catch (error) {
      if (rater === this.desk.rater) this.desk.onNoAnswer(error);
    } finally {
      this.isAsking = false;
    }
  }

  /** Lets go of what the server gives no longer: pictures of a version that was replaced meanwhile. */
  drop(images, words) {
    const given = new Set(images.map((image) => image.id));
    const near = this.desk.mode === "sweep" ? this.desk.sweep.size : NEAR;
    this.queue = this.queue.filter(({ id }, place) => place < near || given.has(id) || words.has(id));
  }

  add(images, words = lastWords(this.desk.rater)) {
    const held = new Set(this.queue.map((image) => image.id));
    const isSaid = (id) => (words.get(id)?.vote.verdict ?? "undo") !== "undo";
    const isOpen = ({ id }) => !held.has(id) && !this.done.has(id) && !isSaid(id);
    for (const image of images.filter(isOpen)) this.queue.push(this.load(image));
    // The server's word on where a picture lies is newer than what the outbox remembers.
    for (const { id, url } of images) if (held.has(id)) this.queue.find((image) => image.id === id).url = url;
  }

  load(image) {
    const img = new Image();
    img.alt = image.prompt;
    img.draggable = false;
    img.decoding = "sync";
    img.onload = () => {
      Object.assign(image, { isReady: true, isBroken: false });
      if (this.isAhead(image)) this.desk.show();
    };
    img.onerror = () => {
      image.isBroken = true;
      if (this.isAhead(image)) this.desk.show();
      setTimeout(() => this.queue.includes(image) && this.load(image), LOAD_AGAIN_MS);
    };
    img.src = image.url;
    return Object.assign(image, { img });
  }

  /** How many pictures to hold. */
  get wanted() {
    return this.desk.mode === "sweep" ? Math.min(MOST_HELD, 2 * this.desk.sweep.size) : HOLD;
  }

  /** Is this picture on screen, or to be? */
  isAhead(image) {
    return this.queue.indexOf(image) < (this.desk.mode === "sweep" ? this.desk.sweep.size : 1);
  }

  /** Decodes once the picture on screen is painted: on a busy machine the one would hold up the other. */
  decodeSoon() {
    clearTimeout(this.decoding);
    this.decoding = setTimeout(() => this.decode(), DECODE_AFTER_MS);
  }

  /** Decodes what comes after the pictures on screen. */
  decode() {
    const ahead = this.desk.mode === "sweep" ? 2 * this.desk.sweep.size : DECODED + 1;
    for (const image of this.queue.slice(1, ahead)) if (image.isReady) image.img.decode().catch(() => {});
  }

  /** A picture that was voted on leaves. */
  take(image) {
    this.queue = this.queue.filter((other) => other !== image);
    this.done.add(image.id);
  }

  /** A picture whose vote was undone is the next one again. */
  putBack(image) {
    this.done.delete(image.id);
    delete image.shownAt;
    this.queue = [this.load(image), ...this.queue.filter(({ id }) => id !== image.id)];
  }

  /** Another tab voted on this one; a picture that is being looked at stays. */
  letGo(image) {
    const isOne = this.desk.mode === "one";
    this.queue = this.queue.filter(({ id }, place) => (place === 0 && isOne) || id !== image.id);
  }
}
