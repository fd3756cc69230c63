// What is done with pictures: asked first, with how many; then some at a time, so that one sees how far it is.
const AT_ONCE = 40;
const ACTS = {
  move: { go: "Move", head: (n) => `Move ${plural(n, "picture")}?`, done: "moved",
    text: (n) => `The ${number(n)} flagged files leave the folder, with the texts beside them. Nothing is overwritten.` },
  copy: { go: "Copy", head: (n) => `Copy ${plural(n, "picture")}?`, done: "copied",
    text: (n) => `Copies of the ${number(n)} flagged files, with the texts beside them. Nothing is overwritten.` },
  tag: { go: "Tag", head: (n) => `Tag ${plural(n, "picture")} as rejected?`, done: "tagged",
    text: (n) => `An XMP file beside each of the ${number(n)} flagged files gives it the rating “rejected”, which digiKam and darktable show. The pictures stay as they are.` },
  export: { go: "Export", head: (n) => `Export ${plural(n, "picture")}?`, done: "exported",
    text: (n) => `A zip with the pixels of the ${number(n)} flagged pictures, without their metadata, and the table of their scores.` },
  send: { go: "Ask", head: () => "Ask raters about the doubtful ones?", done: "sent to raters",
    text: (n) => `The pictures nearest to the cut come into the rating queue; ${number(n)} were not sent before.` },
};

class Acts {
  constructor(page) {
    this.page = page;
    this.dialog = page.root.querySelector(".asking");
    const form = this.dialog.querySelector("form");
    form.addEventListener("submit", (event) => { event.preventDefault(); this.go(); });
    this.dialog.querySelector(".cancel").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("cancel", (event) => { if (this.isBusy) event.preventDefault(); });
    this.dialog.querySelector("[name=number]").addEventListener("input", () => this.name());
    for (const button of page.root.querySelectorAll("[data-act]")) {
      button.addEventListener("click", () => this.ask(button.dataset.act));
    }
  }

  at(name) { return this.dialog.querySelector(name); }

  ask(what) {
    this.what = what;
    this.ids = what === "send" ? this.page.doubtful() : this.page.flaggedIds();
    this.at("h2").textContent = ACTS[what].head(this.ids.length);
    this.at(".text").textContent = ACTS[what].text(this.ids.length);
    this.at(".to").hidden = !["move", "copy"].includes(what);
    this.at("[name=to]").value = `${this.page.state.folder.replace(/\/+$|\.zip$/i, "")}-${what === "move" ? "rejected" : "flagged"}`;
    this.at(".number").hidden = what !== "send";
    this.at("[name=number]").max = String(Math.min(1000, this.ids.length));
    this.at("[name=number]").value = String(Math.min(50, this.ids.length));
    this.at("progress").hidden = true;
    this.busy(false);
    tell(this.dialog, null);
    this.name();
    this.dialog.showModal();
  }

  get wanted() {
    return this.what === "send" ? this.ids.slice(0, Math.max(0, Number(this.at("[name=number]").value))) : this.ids;
  }

  // The button says how many.
  name() {
    this.at(".go").textContent = `${ACTS[this.what].go} ${plural(this.wanted.length, "picture")}`;
    this.at(".go").disabled = this.isBusy || !this.wanted.length;
  }

  busy(isBusy) {
    this.isBusy = isBusy;
    for (const one of this.dialog.querySelectorAll("input, button")) one.disabled = isBusy;
  }

  async go() {
    const ids = this.wanted, { page, what } = this, progress = this.at("progress");
    if (what === "export") {
      page.download(`flagged.zip?cut=${encodeURIComponent(page.cut.cut)}`);
      this.dialog.close();
      return;
    }
    this.busy(true);
    Object.assign(progress, { max: ids.length, value: 0, hidden: false });
    const stayed = [];
    let done = 0;
    try {
      for (let start = 0; start < ids.length; start += AT_ONCE) {
        const some = ids.slice(start, start + AT_ONCE), to = this.at(".to").hidden ? "" : this.at("[name=to]").value;
        const answer = await ask(`${page.address}/act`, { what, rows: some, to });
        done += answer.done;
        stayed.push(...answer.stayed);
        progress.value = start + some.length;
      }
      this.dialog.close();
    } catch (error) {
      tell(this.dialog, error);
    }
    this.busy(false);
    this.name();
    if (done || stayed.length) {
      page.say(`${plural(done, "picture")} ${ACTS[what].done}.${stayed.length ? ` ${number(stayed.length)} stayed: ${stayed[0]}.` : ""}`);
    }
    await page.refresh();
  }
}
