// What a curator decides, after a question; and how it is undone.
const ACTS = {
  exclude: ["Take out", "Take {} out of the pool", "No later version trains on it. Its votes stay, and rates still count it."],
  restore: ["Put back", "Put {} back into the pool", "Later versions train on it again, as its verdict says."],
  reject: ["Overrule: reject", "Overrule the verdict of {}: reject", "The pool, retrains and the version's rate count it as a reject, whatever its votes say. The votes stay; raters never see this."],
  keep: ["Overrule: keep", "Overrule the verdict of {}: keep", "The pool, retrains and the version's rate count it as a keep, whatever its votes say. The votes stay; raters never see this."],
  follow: ["Follow the votes", "Let {} follow the votes again", "The curator's verdict no longer counts; the raters' majority does."],
};

class Decisions {
  constructor(pool, root) {
    this.pool = pool;
    this.root = root;
    const press = (name, act) => this.at(name).addEventListener("click", act);
    press(".history", () => this.showPast());
    press(".done button", () => this.undo(this.last));
    press(".past .close", () => this.at(".past").close());
    press(".asking .cancel", () => this.at(".asking").close());
  }

  at(name) { return this.root.querySelector(name); }

  // `ids`: the pictures; null: all that pass the filter.
  decide(action, ids) {
    const n = ids ? ids.length : this.pool.total, what = ids?.length === 1 ? "this picture" : plural(n, "picture");
    const more = n === 1 ? ACTS[action][2] : ACTS[action][2].replace("on it", "on them").replace("Its votes", "Their votes").replaceAll("count it", "count them").replace("its votes", "their votes").replace("its verdict says", "their verdicts say");
    const pictures = ids ? { images: ids } : { filter: this.pool.filter, expected: this.pool.total };
    this.confirm({ title: ACTS[action][1].replace("{}", what), more, label: ACTS[action][0], needsReason: true }, async (reason) => {
      this.say(await ask(ADDRESS, { action, reason, ...pictures }));
      if (!ids || ids.length > 1 || !this.pool.viewer.isOpen) this.pool.mark([]);
    });
  }

  makeControl(id) {
    const more = "The picture is mixed into the queue, and raters' votes are compared with this answer.";
    const choice = element("select", { name: "answer" }, element("option", { value: "reject", textContent: "reject" }), element("option", { value: "keep", textContent: "keep" }));
    const label = element("label", {}, "Right answer ", choice);
    this.confirm({ title: "Use this picture as a control", more, label: "Make the control", extra: label }, async () => {
      this.say(await ask(`${ADDRESS}/control`, { image: id, answer: choice.value }));
    });
  }

  confirm({ title, more, label, needsReason = false, extra = null }, act) {
    const dialog = this.at(".asking"), form = dialog.querySelector("form"), reason = form.querySelector("[name=reason]");
    form.querySelector("h2").textContent = title;
    form.querySelector("p").replaceChildren(more, ...(extra ? [extra] : []));
    form.querySelector(".go").textContent = label;
    reason.parentElement.hidden = !needsReason;
    reason.value = this.reason ?? "";
    tell(dialog, null);
    form.onsubmit = async (event) => {
      event.preventDefault();
      if (needsReason && !reason.value.trim()) {
        tell(dialog, new Error("Give a reason in a few words; it is kept in the history."));
        return;
      }
      try {
        await act((this.reason = reason.value.trim()));
      } catch (error) {
        tell(dialog, error);
        return;
      }
      dialog.close();
      await this.pool.load();
      this.pool.viewer.forget();
    };
    dialog.showModal();
    if (needsReason) reason.select();
  }

  // What was done, with a way back where there is one.
  say(answer) {
    this.last = answer;
    this.at(".done").hidden = false;
    this.at(".done span").textContent = `${answer.words[0].toUpperCase()}${answer.words.slice(1)}.`;
    this.at(".done button").hidden = !answer.first;
  }

  async undo({ first, last }) {
    try {
      this.say(await ask(`${ADDRESS}/undo`, { first, last }));
    } catch (error) {
      tell(this.at(".past").open ? this.at(".past") : this.root, error);
      return;
    }
    this.at(".past").close();
    await this.pool.load();
    this.pool.viewer.forget();
  }

  async showPast() {
    const dialog = this.at(".past");
    tell(dialog, null);
    dialog.showModal();
    try {
      const { decisions } = await ask(`${ADDRESS}/decisions`);
      dialog.querySelector(".events").replaceChildren(...decisions.map((one) => {
        const back = element("button", { type: "button", textContent: "Undo" });
        back.addEventListener("click", () => this.undo(one));
        return element("li", {}, element("span", {}, one.words, element("small", { textContent: `by ${one.by}, ${one.ago}: ${one.reason}` })), back);
      }));
      if (!decisions.length) dialog.querySelector(".events").replaceChildren(element("li", { textContent: "Nothing yet." }));
    } catch (error) {
      tell(dialog, error);
    }
  }
}
