// The rating page. It holds the next pictures ready, moves on at once, and leaves the sending to the outbox.
const TICK_MS = 1500;
const RATER = "naysayer.rater";
const MODE = "naysayer.mode";

class Desk {
  constructor(root, signedIn = "") {
    this.root = root;
    this.stage = root.querySelector(".stage");
    this.ended = new AbortController();
    this.sender = new Sender({
      onAnswer: (answer, rater) => this.hear(answer, rater),
      onRefused: (sentence) => this.words.tell(`One vote was not recorded: ${sentence}`),
      onTrouble: () => this.words.showTrouble(true),
    });
    this.mode = recall(MODE) === "sweep" ? "sweep" : "one";
    this.hand = new Hand(this);
    this.words = new Words(this);
    this.tools = new Tools(this);
    this.one = new One(this);
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
    Object.assign(this, { rater, history: [], ticks: 0, hasBegun: false, current: null, owed: 0 });
    this.hand.reset();
    this.words.reset();
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
    this.sizes = new ResizeObserver(() => this.measure());
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
    this.words.showNote();
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
    this.hand.add(undone.map((entry) => entry.image));
    this.show();
    this.hand.refill();
  }

  onNoAnswer(error) {
    if (error.status === 400 && !this.hasBegun) this.leave(error.message);
    else this.words.showTrouble(true);
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

  show() {
    this.$(".nothing").hidden = Boolean(this.hand.queue.length) || !this.hasBegun;
    this.$("[data-verdict=undo]").disabled = !this.history.length;
    (this.mode === "sweep" ? this.sweep : this.one).show();
    this.hand.decodeSoon();
  }

  /** Keeps the size of the stage: to ask for it after a key would lay the page out once more before the next picture. */
  measure() {
    this.room = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    this.fit();
  }

  fit() {
    (this.mode === "sweep" ? this.sweep : this.one).fit();
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
    for (const image of this.hand.queue) delete image.shownAt;
    this.showMode();
    this.show();
    this.hand.refill();
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
    else if (this.mayVote(this.hand.queue[0], verdict)) this.vote(verdict, this.hand.queue[0], this.tools.take());
    else return;
    this.settle();
  }

  /** After a vote: what is next, and the votes on their way. */
  settle() {
    this.show();
    this.words.showCount();
    this.sender.send();
    if (this.hand.queue.length < this.hand.wanted) this.hand.refill();
  }

  /** `more`: page, reasons and marks; what was decided `together` is undone together. */
  vote(verdict, image, more, together = null) {
    post(this.rater, image, verdict, "", more);
    this.hand.take(image);
    this.history.push({ image, verdict, together });
    this.pace.count(verdict);
    this.words.say(verdict);
  }

  undo() {
    const last = this.history.pop();
    if (!last) {
      if (!this.hasBegun) this.owed += 1; // asked for before the history came: done when it does
      return;
    }
    this.tools.clear(); // they were of the picture that steps back
    post(this.rater, last.image, "undo", last.verdict, { page: this.mode });
    if (this.mode === "sweep" && last.verdict === "reject") this.sweep.bad.add(last.image.id);
    this.hand.putBack(last.image);
    this.pace.count("undo");
    this.words.say("undo");
    if (last.together && this.history.at(-1)?.together === last.together) this.undo();
  }

  onOtherTab({ key, newValue }) {
    if (!key?.startsWith(VOTE) || !newValue) return;
    const { rater, image, vote } = JSON.parse(newValue);
    if (rater !== this.rater || vote.verdict === "undo") return;
    this.hand.letGo(image);
    if (this.mode === "sweep") this.show();
  }

  // ---- the server and the clock ------------------------------------------------------------------------------

  hear(answer, rater) {
    if (rater === this.rater) this.words.hear(answer);
  }

  tick() {
    this.ticks += 1;
    if (document.hidden || !this.rater) return;
    if (!this.hand.queue.length || this.ticks % 4 === 0) this.hand.refill();
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
