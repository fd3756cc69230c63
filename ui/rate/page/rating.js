// The rating page. It keeps the next pictures ready, moves on at once, and leaves the sending to the outbox.
import { Guidelines } from "./guidelines.js";
import { HistoryDialog } from "./history.js";
import { actionOf, isComposed, isTyping } from "./keys.js";
import { keepNotes } from "./noted.js";
import { OneMode } from "./one.js";
import { lastUnsentVotes, post, Sender, VOTE } from "./outbox.js";
import { Pace } from "./pace.js";
import { PromptLine } from "./prompts.js";
import { Queue } from "./queue.js";
import { openSheet } from "./sheet.js";
import { Status } from "./status.js";
import { forget, recall, remember } from "./storage.js";
import { SweepMode } from "./sweep.js";

const TICK_MS = 1500;
const REFILL_TICKS = 12; // each answer costs the server more than a vote
const EMPTY_TICKS = 4; // without a picture: at first at every tick, then at each of so many
const RATER = "naysayer.rater";
const MODE = "naysayer.mode";

export class RatingPage {
  /** `data`: the signed-in rater, or "", and what ui/rate/page_data.py hands over. */
  constructor(root, { rater, reasons, keys, done, limits }) {
    Object.assign(this, { root, reasons, keys, done, limits });
    this.stage = this.$(".stage");
    this.ended = new AbortController();
    this.sender = new Sender({
      limits,
      rater: () => this.rater,
      onAnswer: (answer, rater) => this.update(answer, rater),
      onRefused: (sentence) => this.status.notify(`One vote was not recorded: ${sentence}`),
      onTrouble: (error) => this.status.setOffline(true, error),
    });
    this.queue = new Queue(this);
    this.promptLine = new PromptLine(this);
    this.guidelines = new Guidelines(this);
    this.status = new Status(this);
    this.modes = { one: new OneMode(this), sweep: new SweepMode(this) };
    this.mode = this.modes[recall(MODE)] ?? this.modes.one;
    this.pace = new Pace(this);
    new HistoryDialog(this);
    this.listen();
    this.showMode();
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.$(".other").hidden = Boolean(rater);
    this.open(rater || (recall(RATER) ?? ""));
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  listen() {
    const on = (target, kind, act) => target.addEventListener(kind, act, { signal: this.ended.signal });
    on(window, "keydown", (event) => this.onKey(event));
    on(window, "online", () => this.sender.send());
    on(window, "storage", (event) => this.onOtherTab(event));
    on(this.$(".other"), "click", () => this.leave());
    on(this.$(".who"), "submit", (event) => this.onName(event));
    on(this.$(".submit"), "click", () => this.mode.submit());
    for (const dialog of this.root.querySelectorAll("dialog"))
      on(dialog, "click", (event) => event.target === dialog && dialog.close());
    on(this.$("[data-tool=help]"), "click", () => openSheet(this.$(".help")));
    for (const button of this.root.querySelectorAll("[data-mode]"))
      on(button, "click", () => this.changeMode(button));
    for (const button of this.root.querySelectorAll("[data-verdict]")) {
      on(button, "click", () => this.onVerdict(button.dataset.verdict));
      // A held Enter or space bar clicks a focused button over and over.
      on(button, "keydown", (event) => event.repeat && event.preventDefault());
    }
    this.sizes = new ResizeObserver(() => this.measure());
    this.sizes.observe(this.stage);
  }

  stop() {
    this.ended.abort();
    this.sizes.disconnect();
    for (const mode of Object.values(this.modes)) mode.stop();
    clearInterval(this.timer);
    this.sender.stop();
  }

  // ---- who is rating -----------------------------------------------------------------------------------------

  open(rater, sorry = "") {
    Object.assign(this, { rater, history: [], ticks: 0, emptyTicks: 0, hasHistory: false, undosOwed: 0 });
    this.queue.reset();
    this.status.reset();
    this.modes.sweep.open();
    this.mode.leave();
    this.$(".who").hidden = Boolean(rater);
    this.$(".main").hidden = !rater;
    this.$(".sorry").textContent = sorry;
    this.$(".name").textContent = rater;
    this.status.showNote();
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

  // ---- pictures ----------------------------------------------------------------------------------------------

  begin() {
    // What was undone here and not sent yet comes back before the server knows.
    const undone = [...lastUnsentVotes(this.rater).values()].filter((entry) => entry.vote.verdict === "undo");
    this.queue.add(undone.map((entry) => entry.image));
    this.show();
    this.queue.refill();
  }

  onNoAnswer(error) {
    if ([400, 429].includes(error.status) && !this.hasHistory) this.leave(error.message);
    else this.status.setOffline(true, error);
  }

  restoreHistory(recent, unsent) {
    if (this.hasHistory) return;
    this.hasHistory = true;
    const since = new Set(this.history.map(({ picture }) => picture.id));
    const sent = recent.filter(({ image }) => !unsent.has(image.id) && !since.has(image.id)).reverse();
    const own = [...unsent.values()].filter(({ image, vote }) => vote.verdict !== "undo" && !since.has(image.id));
    this.history = [
      ...sent.map(({ image, verdict, noted }) => ({ picture: { ...image, noted }, verdict })),
      ...own.map(({ image, vote }) => ({ picture: image, verdict: vote.verdict })),
      ...this.history,
    ];
    for (; this.undosOwed; this.undosOwed -= 1) this.undoLast();
    this.sender.send();
  }

  show() {
    this.$(".nothing").hidden = Boolean(this.queue.pictures.length) || !this.queue.hasAll;
    this.$("[data-verdict=undo]").disabled = !this.history.length;
    this.mode.show();
    this.queue.decodeSoon();
  }

  /** Remembers the stage's size: asking for it after a key would force a layout before the next picture is painted. */
  measure() {
    this.room = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    this.mode.fit();
  }

  // ---- keys and modes ----------------------------------------------------------------------------------------

  onKey(event) {
    if (!this.rater || event.ctrlKey || event.metaKey || event.altKey || isComposed(event)) return;
    if (isTyping(event.composedPath()[0])) return;
    const act = this.key(event);
    if (!act) return;
    event.preventDefault();
    if (!event.repeat) act();
  }

  /** What this key does; undefined for a key without an action. */
  key(event) {
    const action = actionOf(this.keys.page, event);
    const sheets = { help: this.$(".help"), guidelines: this.guidelines.dialog };
    if (this.openDialog) return this.openDialog === sheets[action] ? () => sheets[action].close() : undefined;
    if (action === "help") return () => openSheet(sheets.help);
    if (action === "guidelines") return () => this.guidelines.open();
    if (action === "more") return () => this.promptLine.toggle();
    return this.mode.key(event);
  }

  get openDialog() {
    return this.root.querySelector("dialog[open]");
  }

  /** The button lets go of the focus, or the next Enter would press it again and submit nothing. */
  changeMode(button) {
    button.blur();
    const mode = this.modes[button.dataset.mode];
    if (mode === this.mode) return;
    remember(MODE, mode.name);
    this.mode.leave();
    this.mode = mode;
    for (const picture of this.queue.pictures) delete picture.shownAt;
    this.showMode();
    this.show();
    this.queue.refill();
  }

  showMode() {
    const { name } = this.mode;
    this.$(".main").dataset.shows = name;
    for (const button of this.root.querySelectorAll("[data-mode]"))
      button.setAttribute("aria-pressed", button.dataset.mode === name);
    for (const part of this.root.querySelectorAll("[data-only]")) part.hidden = part.dataset.only !== name;
  }

  // ---- votes -------------------------------------------------------------------------------------------------

  onVerdict(verdict) {
    if (verdict === "undo") this.undo();
    else this.mode.submit(verdict);
  }

  post(picture, verdict, more) {
    post(this.rater, picture, verdict, { guidelines: this.guidelines.followed, ...more });
  }

  /** Votes of one `batch` are undone together. */
  vote(verdict, picture, batch = null) {
    const decidedAt = Date.now();
    this.post(picture, verdict, { page: this.mode.name, decidedAt });
    this.queue.take(picture);
    this.history.push({ picture, verdict, batch, decidedAt });
    this.pace.count(verdict);
    this.status.showVerdict(verdict);
  }

  /** Sends the last vote, a reject, once more with what was noted since: the newest vote on a picture counts. */
  amendLast() {
    const { picture, verdict, decidedAt } = this.history.at(-1);
    this.post(picture, verdict, { was: verdict, page: "reason", decidedAt });
    this.sender.send();
  }

  /** After a vote: shows what is next and sends what is waiting. */
  settle() {
    this.show();
    this.status.showCount();
    this.sender.send();
    if (this.queue.isLow) this.queue.refill();
  }

  undo() {
    this.undoLast();
    this.settle();
  }

  undoLast() {
    const last = this.history.pop();
    if (!last) {
      if (!this.hasHistory) this.undosOwed += 1; // pressed before the history came: done when it does
      return;
    }
    this.mode.restore(last);
    if (last.picture.noted) keepNotes(this.rater, last.picture);
    this.post(last.picture, "undo", { was: last.verdict, page: this.mode.name });
    this.queue.putBack(last.picture);
    this.pace.takeBack(last.verdict);
    this.status.showVerdict("undo");
    if (last.batch && this.history.at(-1)?.batch === last.batch) this.undoLast();
  }

  onOtherTab({ key, newValue }) {
    if (!key?.startsWith(VOTE) || !newValue) return;
    const { rater, image, vote } = JSON.parse(newValue);
    if (rater !== this.rater || vote.verdict === "undo") return;
    this.queue.remove(image);
    this.show();
  }

  // ---- the server and the clock ------------------------------------------------------------------------------

  update(answer, rater) {
    if (rater === this.rater) this.status.update(answer);
  }

  tick() {
    this.ticks += 1;
    if (document.hidden || !this.rater) return;
    this.emptyTicks = this.queue.pictures.length ? 0 : this.emptyTicks + 1;
    const isWaiting = this.emptyTicks > 0 && (this.emptyTicks <= EMPTY_TICKS || this.emptyTicks % EMPTY_TICKS === 0);
    if (isWaiting || this.ticks % REFILL_TICKS === 0) this.queue.refill();
  }
}

// Streamlit may mount again without the previous clean-up: two pages would vote twice on a key.
let page = null;
let mounts = 0;

export default function mount({ parentElement, data }) {
  const mine = ++mounts;
  // Compare stages, not parents: Streamlit may also put new elements into the same parent.
  if (page?.stage !== parentElement.querySelector(".stage") || page.ended.signal.aborted) {
    page?.stop();
    page = new RatingPage(parentElement, data);
  }
  return () => {
    if (mine === mounts) page.stop();
  };
}
