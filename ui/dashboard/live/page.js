// On every page: says when a retrain has ended (a toast, the tab's title, a notification where allowed), and, in place
// of Streamlit's own dialog, what is safe while the server is gone.
const EVERY_MS = 4000;
const TIMEOUT_MS = 15_000;
const SHOWN_MS = 30_000;
const HERE = new URL(".", location.href).pathname.slice(1); // as in ui/rate/page/storage.js
const SEEN = `${HERE}naysayer.news`;
const VOTE = `${HERE}naysayer.vote.`; // the entries of ui/rate/page/outbox.js
const TICK_MS = 40;
const CALM_TICKS = 6;
const UNFINISHED =
  ".stApp:is([data-test-script-state=initial], [data-test-script-state=running]), .stMain [data-testid=stSkeleton]";
const ENDED = new Set(["done", "failed", "interrupted"]);

/** How many votes of this browser the server has not confirmed; null where the browser forbids to look. */
function unsentVotes() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(VOTE)).length;
  } catch {
    return null;
  }
}

/** What is safe while the server is gone. */
export function goneWords(unsent) {
  const gone = "The server does not answer. This page goes on by itself when it is back.";
  if (unsent === null) return gone;
  if (!unsent) return `${gone} Every vote of this browser was sent.`;
  const [votes, are] = unsent === 1 ? ["1 vote", "is"] : [`${unsent} votes`, "are"];
  return `${gone} ${votes} not sent yet ${are} kept in this browser.`;
}

/** The rating page, whose styles are its own, says beside its votes that the server is gone, once it shows pictures. */
function saysItself() {
  const parts = [...document.querySelectorAll(".st-key-rating *")].map((element) => element.shadowRoot);
  return parts.some((root) => root?.querySelector(".main:not([hidden])"));
}

/**
 * Shows the page once all of it is there: Streamlit draws part after part, and each would push the others about.
 * Not for the rating page, which is there at once; without this script the page shows after a while (live.css).
 */
function showWhole() {
  const main = document.querySelector(".stMain");
  let [calm, height] = [0, 0];
  const timer = setInterval(() => {
    const isCalm = !document.querySelector(UNFINISHED) && main?.scrollHeight === height;
    [calm, height] = [isCalm ? calm + 1 : 0, main?.scrollHeight];
    if (calm < CALM_TICKS) return;
    clearInterval(timer);
    document.documentElement.dataset.naysayerWhole = "";
  }, TICK_MS);
}

const canNotify = () => "Notification" in window && window.isSecureContext;

/** On a narrow screen the menu lies over the page, and Streamlit leaves it open once a page is chosen. */
function closeMenu() {
  document.querySelector("[data-collapsed=false] [data-testid=stSidebarCollapseButton] button")?.click();
}

class LivePage {
  constructor(root, address) {
    Object.assign(this, { root, address, misses: 0, mark: "" });
    this.ended = new AbortController();
    const signal = { signal: this.ended.signal };
    document.addEventListener("visibilitychange", () => document.hidden || this.ask(), signal);
    document.addEventListener("click", (event) => this.onClick(event), signal);
    this.timer = setInterval(() => this.ask(), EVERY_MS);
    // Streamlit's dialog opens above the page and closes by itself when the server is back.
    this.watcher = new MutationObserver(() => this.hideDialog());
    this.watcher.observe(document.body, { childList: true });
    this.showPermission();
    this.ask();
  }

  stop() {
    this.ended.abort();
    this.watcher.disconnect();
    clearInterval(this.timer);
  }

  async ask() {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      const response = await fetch(this.address, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      this.misses = 0;
      this.show(false);
      if (response.ok) this.hear(await response.json());
    } catch (error) {
      // A server that is only slow is not gone.
      this.misses += error.name === "TimeoutError" ? 1 : 2;
      if (this.misses > 1 && !this.ended.signal.aborted) this.show(true);
    } finally {
      this.isAsking = false;
    }
    this.keepTitle();
  }

  /** Shows or hides the line that the server is gone. */
  show(isGone) {
    const line = this.root.querySelector(".gone");
    line.hidden = !isGone || saysItself();
    if (!line.hidden) line.textContent = goneWords(unsentVotes());
  }

  hear({ run, state, sentence }) {
    const now = `${run} ${state}`;
    const before = sessionStorage.getItem(SEEN);
    if (now === before) return;
    sessionStorage.setItem(SEEN, now);
    if (before !== null && ENDED.has(state) && sentence) this.tell(run, state, sentence);
  }

  tell(run, state, sentence) {
    const toast = document.createElement("div");
    toast.className = `toast ${state}`;
    const words = document.createElement("p");
    words.textContent = sentence;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    toast.append(words, close);
    this.root.querySelector(".toasts").append(toast);
    const end = () => {
      toast.remove();
      this.markTitle("");
    };
    close.addEventListener("click", end);
    this.markTitle(state === "done" ? "New version" : "Retrain failed");
    this.whenSeen(() => setTimeout(end, SHOWN_MS));
    if (document.hidden && canNotify() && Notification.permission === "granted")
      new Notification("Naysayer", { body: sentence, tag: `naysayer-${run}` });
  }

  /** Calls `then` as soon as the page is looked at. */
  whenSeen(then) {
    if (!document.hidden) return then();
    const signal = this.ended.signal;
    document.addEventListener("visibilitychange", () => this.whenSeen(then), { once: true, signal });
  }

  markTitle(mark) {
    const bare = this.mark ? document.title.replace(`● ${this.mark} · `, "") : document.title;
    this.mark = mark;
    document.title = bare;
    this.keepTitle();
  }

  /** Streamlit writes the title again at each run of a page. */
  keepTitle() {
    if (this.mark && !document.title.startsWith("●")) document.title = `● ${this.mark} · ${document.title}`;
  }

  /** The button that lets the browser notify is part of a page that is drawn again and again. */
  async onClick(event) {
    if (event.target.closest?.("[data-testid=stSidebarNavLink]")) setTimeout(closeMenu);
    if (!event.target.closest?.("[data-notify]") || !canNotify()) return;
    await Notification.requestPermission();
    this.showPermission();
  }

  showPermission() {
    document.documentElement.dataset.naysayerNotify = canNotify() ? Notification.permission : "never";
  }

  /** Hides the dialog that says the server is gone; one with a refusal of ours, such as an invitation's end, stays. */
  hideDialog() {
    for (const dialog of document.querySelectorAll("[role=dialog]")) {
      if (!/^\s*Connection error/.test(dialog.textContent) || !/Streamlit/.test(dialog.textContent)) continue;
      let layer = dialog;
      while (layer.parentElement && layer.parentElement !== document.body) layer = layer.parentElement;
      if (layer.contains(this.root)) layer = dialog;
      layer.classList.add("ns-unwanted");
      this.ask();
    }
  }
}

// Streamlit may mount again without the previous clean-up.
let page = null;
let mounts = 0;

export default function mount({ parentElement, data }) {
  const mine = ++mounts;
  const root = parentElement.querySelector(".ns-live");
  if (page?.root !== root || page.ended.signal.aborted) {
    page?.stop();
    page = new LivePage(root, data.news);
    showWhole();
  }
  return () => {
    if (mine === mounts) page.stop();
  };
}
