// The rating page. It holds the next pictures ready, moves on at once, and leaves the sending to the outbox.
const HOLD = 24; // pictures kept ready: twenty presses at once still find one each
const DECODED = 8; // of these are kept decoded
const NEAR = 2; // on screen or just about to be: these stay, whatever the server says
const TICK_MS = 1500;
const SAID_MS = 800;
const NOTE_MS = 9000;
const MARGIN_PX = 8;
const RATER = "naysayer.rater";
const MODE = "naysayer.mode";
const MOST_HELD = 64; // the server gives no more

const KEYS = { j: "reject", k: "keep", s: "skip", u: "undo", ArrowLeft: "reject", ArrowRight: "keep" };
const CODES = { KeyJ: "reject", KeyK: "keep", KeyS: "skip", KeyU: "undo" };
const WORDS = { reject: "Rejected", keep: "Kept", skip: "Skipped", undo: "Undone" };

function verdictOf(event) {
  // By letter; by place on the keyboard where the layout has no Latin letters.
  const isLatin = event.key.length > 1 || event.key.charCodeAt(0) < 128;
  return isLatin ? (KEYS[event.key] ?? KEYS[event.key.toLowerCase()]) : CODES[event.code];
}

function isTyping(target) {
  return target?.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target?.tagName);
}

class Desk {
  constructor(root, signedIn = "") {
    this.root = root;
    this.stage = root.querySelector(".stage");
    this.ended = new AbortController();
    this.sender = new Sender({
      onAnswer: (answer, rater) => this.hear(answer, rater),
      onRefused: (sentence) => this.tell(`One vote was not recorded: ${sentence}`),
      onTrouble: () => this.showTrouble(true),
    });
    this.mode = recall(MODE) === "sweep" ? "sweep" : "one";
    this.tools = new Tools(this);
    this.sweep = new Sweep(this);
    this.pace = new Pace(this);
    new Past(this);
    this.reset("");
    this.listen();
    this.showMode();
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.$(".other").hidden = Boolean(signedIn);
    this.open(signedIn || (recall(RATER) ?? ""));
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  reset(rater) {
    Object.assign(this, { rater, queue: [], history: [], done: new Set(), today: 0, ticks: 0 });
    Object.assign(this, { isAsking: false, hasBegun: false, isTroubled: false, current: null, note: "", owed: 0 });
  }

  listen() {
    const on = (target, kind, act) => target.addEventListener(kind, act, { signal: this.ended.signal });
    on(window, "keydown", (event) => this.onKey(event));
    on(window, "online", () => this.sender.send());
    on(window, "storage", (event) => this.onOtherTab(event));
    on(this.$(".other"), "click", () => this.leave());
    on(this.$(".who"), "submit", (event) => this.onName(event));
    on(this.$(".submit"), "click", () => this.sweep.submit());
    on(this.$(".help"), "click", (event) => event.target === this.$(".help") && this.$(".help").close());
    on(this.$("[data-tool=help]"), "click", () => this.$(".help").showModal());
    for (const button of this.root.querySelectorAll("[data-mode]"))
      on(button, "click", () => this.changeMode(button.dataset.mode));
    for (const button of this.root.querySelectorAll("[data-verdict]")) {
      on(button, "click", () => this.act(button.dataset.verdict));
      // A held Enter or space bar clicks a focused button over and over.
      on(button, "keydown", (event) => event.repeat && event.preventDefault());
    }
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(this.$(".stage"));
  }

  stop() {
    this.ended.abort();
    this.sizes.disconnect();
    this.sweep.stop();
    clearInterval(this.timer);
    this.sender.stop();
  }

  // ---- who -------------------------------------------------------------------------------------------------

  open(rater, sorry = "") {
    this.reset(rater);
    this.$(".who").hidden = Boolean(rater);
    this.$(".desk").hidden = !rater;
    this.$(".sorry").textContent = sorry;
    this.$(".name").textContent = rater;
    this.tools.clear();
    this.showNote();
    this.sender.send();
    if (rater) this.begin();
    else this.$("#name").focus();
  }

  onName(event) {
    event.preventDefault();
    const name = this.$("#name").value.trim().replace(/\s+/g, " ");
    if (!name) return;
    remember(RATER, name);
    this.open(name);
  }

  leave(sorry = "") {
    this.$("#name").value = this.rater;
    forget(RATER);
    this.open("", sorry);
  }

  // ---- pictures --------------------------------------------------------------------------------------------

  begin() {
    // What was undone here and not sent yet comes back before the server knows.
    const undone = [...lastWords(this.rater).values()].filter((entry) => entry.vote.verdict === "undo");
    this.add(undone.map((entry) => entry.image));
    this.show();
    this.refill();
  }

  async refill() {
    if (this.isAsking || !this.rater) return;
    this.isAsking = true;
    const rater = this.rater;
    const before = lastWords(rater);
    // The server knows of every vote it has acknowledged: what it gives again is to be judged again.
    for (const id of this.done) if (!before.has(id)) this.done.delete(id);
    try {
      const answer = await ask("/naysayer/next", { rater, count: this.hold });
      if (rater !== this.rater) return;
      // The answer may be older than an acknowledgement that came meanwhile: what was unsent then counts as well.
      const words = new Map([...before, ...lastWords(rater)]);
      this.recallHistory(answer.recent, words);
      this.drop(answer.images, words);
      this.add(answer.images, words);
      this.hear(answer, rater);
      this.show();
    } catch (error) {
      if (rater === this.rater) this.onNoAnswer(error);
    } finally {
      this.isAsking = false;
    }
  }

  onNoAnswer(error) {
    if (error.status === 400 && !this.hasBegun) this.leave(error.message);
    else this.showTrouble(true);
  }

  recallHistory(recent, words) {
    if (this.hasBegun) return;
    this.hasBegun = true;
    const since = new Set(this.history.map(({ image }) => image.id));
    const sent = recent.filter(({ image }) => !words.has(image.id) && !since.has(image.id)).reverse();
    const own = [...words.values()].filter(({ image, vote }) => vote.verdict !== "undo" && !since.has(image.id));
    this.history = [...sent, ...own.map(({ image, vote }) => ({ image, verdict: vote.verdict })), ...this.history];
    for (; this.owed; this.owed -= 1) this.undo();
    this.sender.send();
  }

  /** Lets go of what the server gives no longer: pictures of a version that was replaced meanwhile. */
  drop(images, words) {
    const given = new Set(images.map((image) => image.id));
    const near = this.mode === "sweep" ? this.sweep.size : NEAR;
    this.queue = this.queue.filter(({ id }, place) => place < near || given.has(id) || words.has(id));
  }

  add(images, words = lastWords(this.rater)) {
    const held = new Set(this.queue.map((image) => image.id));
    const isOpen = ({ id }) => !held.has(id) && !this.done.has(id) && (words.get(id)?.vote.verdict ?? "undo") === "undo";
    for (const image of images.filter(isOpen)) this.queue.push(this.load(image));
  }

  load(image) {
    const img = new Image();
    img.alt = image.prompt;
    img.draggable = false;
    img.decoding = "sync";
    img.onload = () => {
      Object.assign(image, { isReady: true, isBroken: false });
      if (this.isAhead(image)) this.show();
    };
    img.onerror = () => {
      image.isBroken = true;
      if (this.isAhead(image)) this.show();
      setTimeout(() => this.queue.includes(image) && this.load(image), 2 * TICK_MS);
    };
    img.src = image.url;
    return Object.assign(image, { img });
  }

  get hold() {
    return this.mode === "sweep" ? Math.min(MOST_HELD, 2 * this.sweep.size) : HOLD;
  }

  /** Is this picture on screen, or to be? */
  isAhead(image) {
    return this.queue.indexOf(image) < (this.mode === "sweep" ? this.sweep.size : 1);
  }

  show() {
    this.$(".nothing").hidden = Boolean(this.queue.length) || !this.hasBegun;
    this.$("[data-verdict=undo]").disabled = !this.history.length;
    if (this.mode === "sweep") this.sweep.show();
    else this.showOne();
    const ahead = this.mode === "sweep" ? 2 * this.sweep.size : DECODED + 1;
    for (const image of this.queue.slice(1, ahead)) if (image.isReady) image.img.decode().catch(() => {});
  }

  showOne() {
    const image = this.queue[0] ?? null;
    const frame = this.$(".frame");
    for (const button of this.root.querySelectorAll("[data-verdict]:not([data-verdict=undo])"))
      button.disabled = !this.mayVote(image, button.dataset.verdict);
    this.$(".prompt").textContent = image?.prompt ?? "";
    if (image?.isReady) {
      if (frame.firstChild !== image.img) frame.replaceChildren(image.img);
      const isNew = this.current !== image;
      if (isNew) image.shownAt = Date.now();
      this.current = image;
      this.fit();
      if (isNew) this.tools.begin();
    } else if (image?.isBroken) frame.replaceChildren(this.brokenNote());
    else frame.replaceChildren();
    if (image?.isReady) return;
    this.current = null;
    this.tools.show();
  }

  brokenNote() {
    const note = document.createElement("p");
    note.className = "broken";
    note.textContent = "This picture could not be loaded. It is tried again in a moment; Skip passes it over.";
    return note;
  }

  fit() {
    if (this.mode === "sweep") return this.sweep.fit();
    const img = this.current?.img;
    if (!img?.naturalWidth) return;
    const { width, height } = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    const room = Math.min((width - 2 * MARGIN_PX) / img.naturalWidth, (height - 2 * MARGIN_PX) / img.naturalHeight);
    // Whole multiples of the screen's own pixels: a defect must not come from the enlargement.
    const scale = room >= 1 ? Math.floor(room * devicePixelRatio) / devicePixelRatio : room;
    img.style.width = `${img.naturalWidth * scale}px`;
    img.style.height = `${img.naturalHeight * scale}px`;
    img.style.imageRendering = scale > 1 ? "pixelated" : "auto";
    this.tools.fit();
  }

  // ---- votes -----------------------------------------------------------------------------------------------

  onKey(event) {
    if (!this.rater || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTyping(event.composedPath()[0])) return;
    const act = this.actOf(event);
    if (!act) return;
    event.preventDefault();
    if (!event.repeat) act();
  }

  /** What this key does; undefined for a key that is not ours. */
  actOf(event) {
    const help = this.$(".help");
    if (event.key === "?") return () => (help.open ? help.close() : help.showModal());
    if (this.root.querySelector("dialog[open]")) return undefined;
    if (this.mode === "sweep") return this.sweep.actOf(event);
    if (event.shiftKey) return undefined;
    const verdict = verdictOf(event);
    // On a button the space bar presses that button.
    const isPressing = event.key === " " && event.composedPath()[0].closest?.("button");
    return verdict ? () => this.act(verdict) : isPressing ? undefined : this.tools.actOf(event);
  }

  changeMode(mode) {
    this.mode = mode;
    remember(MODE, mode);
    this.tools.clear();
    this.current = null;
    this.sweep.leave();
    this.$(".frame").replaceChildren();
    for (const image of this.queue) delete image.shownAt;
    this.showMode();
    this.show();
    this.refill();
  }

  showMode() {
    const isSweep = this.mode === "sweep";
    this.$(".desk").classList.toggle("sweeping", isSweep);
    for (const button of this.root.querySelectorAll("[data-mode]"))
      button.setAttribute("aria-pressed", button.dataset.mode === this.mode);
    for (const part of this.root.querySelectorAll("[data-only]")) part.hidden = part.dataset.only !== this.mode;
  }

  mayVote(image, verdict) {
    return Boolean(image?.isReady || (image?.isBroken && verdict === "skip"));
  }

  act(verdict) {
    if (verdict === "undo") this.undo();
    else if (this.mayVote(this.queue[0], verdict)) this.vote(verdict, this.queue[0], this.tools.take());
    else return;
    this.settle();
  }

  /** After a vote: what is next, and the votes on their way. */
  settle() {
    this.show();
    this.showCount();
    this.sender.send();
    if (this.queue.length < this.hold) this.refill();
  }

  /** `more`: page, reasons and marks; what was decided `together` is undone together. */
  vote(verdict, image, more, together = null) {
    post(this.rater, image, verdict, "", more);
    this.queue = this.queue.filter((other) => other !== image);
    this.done.add(image.id);
    this.history.push({ image, verdict, together });
    this.pace.count(verdict);
    this.say(verdict);
  }

  undo() {
    const last = this.history.pop();
    if (!last) {
      if (!this.hasBegun) this.owed += 1; // asked for before the history came: done when it does
      return;
    }
    this.tools.clear(); // they were of the picture that steps back
    post(this.rater, last.image, "undo", last.verdict, { page: this.mode });
    this.done.delete(last.image.id);
    delete last.image.shownAt;
    if (this.mode === "sweep" && last.verdict === "reject") this.sweep.bad.add(last.image.id);
    this.queue = [this.load(last.image), ...this.queue.filter((image) => image.id !== last.image.id)];
    this.pace.count("undo");
    this.say("undo");
    if (last.together && this.history.at(-1)?.together === last.together) this.undo();
  }

  onOtherTab({ key, newValue }) {
    if (!key?.startsWith(VOTE) || !newValue) return;
    const { rater, image, vote } = JSON.parse(newValue);
    if (rater !== this.rater || vote.verdict === "undo") return;
    this.queue = this.queue.filter(({ id }, place) => (place === 0 && this.mode === "one") || id !== image.id);
    if (this.mode === "sweep") this.show();
  }

  // ---- words -----------------------------------------------------------------------------------------------

  hear(answer, rater) {
    if (rater !== this.rater) return;
    this.today = answer.progress.today;
    this.showTrouble(false);
    this.showCount();
    this.showDue(answer.due, answer.run);
  }

  tick() {
    this.ticks += 1;
    if (document.hidden || !this.rater) return;
    if (!this.queue.length || this.ticks % 4 === 0) this.refill();
  }

  say(verdict) {
    const said = this.$(".said");
    const icon = this.$(`[data-verdict=${verdict}] svg`).cloneNode(true);
    const style = WORDS[verdict].toLowerCase();
    said.replaceChildren(icon, WORDS[verdict]);
    said.className = `said on ${style}`;
    const calm = () => this.stage.classList.remove("flash", ...Object.values(WORDS).map((word) => word.toLowerCase()));
    calm();
    requestAnimationFrame(() => this.stage.classList.add("flash", style));
    clearTimeout(this.saidTimer);
    this.saidTimer = setTimeout(() => {
      said.classList.remove("on");
      calm();
    }, SAID_MS);
    this.aloud(`${WORDS[verdict]}. ${this.queue[0] ? `Now: ${this.queue[0].prompt}` : "No more pictures."}`);
  }

  aloud(sentence) {
    this.$(".aloud").textContent = sentence;
  }

  showCount() {
    const count = Math.max(0, this.today + unsentCount(this.rater));
    this.$(".count").textContent = count;
    this.$(".unit").textContent = count === 1 ? "vote today" : "votes today";
    this.pace.show(count);
    if (this.isTroubled) this.showNote();
  }

  showDue({ new_rejects: rejects, needed }, run) {
    const bar = this.$(".bar");
    const [part, whole] = run ? [run.step, run.steps] : [Math.min(rejects, needed), needed];
    const percent = whole ? Math.round((100 * part) / whole) : 0;
    bar.classList.toggle("running", Boolean(run));
    bar.firstElementChild.style.width = `${percent}%`;
    bar.setAttribute("aria-valuenow", part);
    bar.setAttribute("aria-valuemax", whole || 1);
    if (run) this.$(".towards").textContent = `A retrain is running, ${percent} %`;
    else if (rejects < needed) this.$(".towards").textContent = `${rejects} of ${needed} new rejects until the next retrain`;
    else this.$(".towards").textContent = `${rejects} new rejects: a retrain is due`;
  }

  showTrouble(isTroubled) {
    this.isTroubled = isTroubled;
    this.showNote();
  }

  tell(note) {
    this.note = note;
    clearTimeout(this.noteTimer);
    if (note) this.noteTimer = setTimeout(() => this.tell(""), NOTE_MS);
    this.showNote();
  }

  showNote() {
    const count = waiting().length;
    const kept = count ? `${count} ${count === 1 ? "vote" : "votes"} waiting to be sent, kept in this browser.` : "Your place is kept.";
    this.$(".note").textContent = this.note || (this.isTroubled ? `The server does not answer. ${kept}` : "");
  }
}

// Streamlit may call this again without the clean-up of the time before: two desks would vote twice on a key.
let desk = null;
let mounts = 0;

export default function mount({ parentElement, data }) {
  const mine = ++mounts;
  // By its stage, not by its parent: Streamlit may also put new elements into the same parent.
  if (desk?.stage !== parentElement.querySelector(".stage") || desk.ended.signal.aborted) {
    desk?.stop();
    desk = new Desk(parentElement, data?.rater);
  }
  return () => {
    if (mine === mounts) desk.stop();
  };
}
