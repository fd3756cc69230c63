// The real page in jsdom: its HTML and data as Python renders them, with a fake server.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const { html, data } = JSON.parse(readFileSync(new URL("page.json", import.meta.url), "utf8"));
export { data };

const { window } = new JSDOM("<!doctype html><body></body>", { url: "http://127.0.0.1:8501", pretendToBeVisual: true });
const dialog = window.HTMLDialogElement.prototype;
dialog.showModal = function () { this.open = true; };
dialog.close = function () { this.open = false; };
class Observer {
  constructor(onChange) { this.onChange = onChange; }
  observe(target) { this.onChange([{ target, isIntersecting: true }]); }
  unobserve() {}
  disconnect() {}
}
class LoadedImage {
  static broken = new Set(); // the last parts of addresses that fail
  constructor() {
    const img = window.document.createElement("img");
    img.decode = async () => {};
    Object.defineProperties(img, { naturalWidth: { value: 64 }, naturalHeight: { value: 64 } });
    setTimeout(() => (LoadedImage.broken.has(img.src.split("/").at(-1)) ? img.onerror?.() : img.onload?.()));
    return img;
  }
}
Object.assign(globalThis, {
  window, document: window.document, localStorage: window.localStorage, Option: window.Option, Image: LoadedImage,
  location: window.location,
  KeyboardEvent: window.KeyboardEvent, AbortController: window.AbortController, ResizeObserver: Observer,
  IntersectionObserver: Observer, devicePixelRatio: 1,
  requestAnimationFrame: (act) => setTimeout(act),
});

export { LoadedImage };
const { RatingPage } = await import("../../ui/rate/page/rating.js");

/**
 * A server that holds pictures and remembers the votes it took, by request id. `isDown`: it answers nothing; `pauseS`:
 * it takes no votes for so many seconds; `damaged`: the files of these pictures are bad;
 * `signedIn`: whose votes it takes.
 */
export class FakeServer {
  constructor(count) {
    this.images = Array.from({ length: count }, (_, place) => ({
      id: place + 1, url: `/naysayer/image/${place + 1}`, prompt: `prompt ${place + 1}`, width: 64, height: 64,
    }));
    Object.assign(this, {
      votes: new Map(), recent: [], requests: 0, picks: 0, isDown: false, pauseS: 0,
      malformed: new Set(), damaged: new Set(),
    });
    globalThis.fetch = async (path, { body } = {}) => this.answer(path, body && JSON.parse(body));
  }

  answer(path, body) {
    this.requests += 1;
    if (this.isDown) throw new TypeError("Failed to fetch");
    const reply = (content, status = 200, headers = {}) => ({
      ok: status === 200, status, headers: new Map(Object.entries(headers)), json: async () => content,
    });
    const due = { new_rejects: 0, needed: 50 };
    if (path.endsWith("/guidelines")) return reply(this.guidelines);
    const state = () => ({ progress: { today: this.answers }, due, is_drawing: true, run: null });
    if (path.endsWith("/next")) {
      this.picks += 1;
      return reply({ ...this.next(body), ...state() });
    }
    if (this.signedIn && body.rater !== this.signedIn) return reply({ error: "these votes belong to another" }, 401);
    if (this.pauseS) return reply({ error: "too many votes at once" }, 429, { "retry-after": String(this.pauseS) });
    if (body.votes.some((vote) => this.malformed.has(vote.image_id))) return reply({ error: "malformed" }, 400);
    for (const vote of body.votes) this.votes.set(vote.request_id, vote);
    return reply({ receipts: body.votes.map(({ request_id }) => ({ request_id, refused: "" })), ...state() });
  }

  next({ count, recent }) {
    const voted = new Set([...this.votes.values()].map((vote) => vote.image_id));
    const images = this.images.filter(({ id }) => !voted.has(id) && !this.damaged.has(id)).slice(0, count);
    return {
      images: structuredClone(images), recent: recent ? this.recent : [], guidelines: this.guidelines?.number ?? 0,
    };
  }

  /** Pictures whose newest vote is an answer, as the real server counts. */
  get answers() {
    return [...new Map(this.verdicts).values()].filter((verdict) => verdict === "reject" || verdict === "keep").length;
  }

  get verdicts() {
    return [...this.votes.values()].map(({ image_id, verdict }) => [image_id, verdict]);
  }
}

/** Lets everything that waits for no clock happen. */
export async function settle() {
  for (let turn = 0; turn < 12; turn += 1) await new Promise((done) => setTimeout(done));
}

/** A page in which the first pictures are loaded; unless it `isNew` the browser remembers the pages before. */
export async function openPage(server, { mode = "one", limits = {}, rater = "Ada", isNew = true } = {}) {
  if (isNew) localStorage.clear();
  localStorage.setItem("naysayer.mode", mode);
  document.body.innerHTML = html;
  const page = new RatingPage(document.body, { ...data, rater, limits: { ...data.limits, ...limits } });
  page.server = server;
  await settle();
  return page;
}

export function press(key, more = {}) {
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true, ...more }));
}

/** The picture on screen is 100 px wide and high, at the top left. */
export function tap(page, x, y) {
  page.mode.current.img.getBoundingClientRect = () => ({ left: 0, top: 0, width: 100, height: 100 });
  for (const kind of ["pointerdown", "pointerup"]) {
    const event = Object.assign(new window.Event(kind), { isPrimary: true, clientX: x, clientY: y, button: 0 });
    page.$(".glass").dispatchEvent(event);
  }
}
