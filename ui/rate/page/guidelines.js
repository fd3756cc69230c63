// What the operator asks of raters. Shown on the first visit and whenever it changed; each vote tells which version
// this rater was shown last.
import { openSheet } from "./sheet.js";
import { recall, remember } from "./storage.js";

const READ = "naysayer.guidelines.";

export class Guidelines {
  constructor(page) {
    this.page = page;
    this.dialog = page.$(".guidelines");
    this.button = page.$("[data-tool=guidelines]");
    this.number = 0; // the version that this page holds; 0: none
    this.button.addEventListener("click", () => this.open());
  }

  /** The version that the rater was shown last; null for none. */
  get followed() {
    return Number(recall(READ + this.page.rater)) || null;
  }

  /** Takes over what the server holds now; `number` is its version. */
  async update(number) {
    if (number === this.number || this.isAsking) return;
    this.isAsking = true;
    try {
      const signal = AbortSignal.timeout(this.page.limits.timeoutMs);
      const response = await fetch("./naysayer/guidelines", { signal });
      if (response.ok) this.take(await response.json());
    } catch {
      // The next answer of the server asks again.
    } finally {
      this.isAsking = false;
    }
  }

  take({ number, html }) {
    this.number = number;
    this.dialog.querySelector(".body").innerHTML = html; // made safe by the server
    this.button.hidden = !number;
    if (number && this.followed !== number) this.open();
  }

  open() {
    if (!this.number) return;
    const known = this.followed;
    this.page.$(".changed").hidden = !known || known === this.number;
    this.dialog.querySelector(".close").textContent = known ? "Close" : "Start rating";
    remember(READ + this.page.rater, this.number);
    openSheet(this.dialog);
  }
}
