import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { data, FakeServer, LoadedImage, openPage, press, settle, tap } from "./page.js";
import { actionOf } from "../../ui/rate/page/keys.js";

let page;
let server;
afterEach(() => page?.stop());

async function open(count = 6, options = {}) {
  server = new FakeServer(count);
  page = await openPage(server, options);
}

const sent = () => [...server.votes.values()];

test("each key gives its verdict on the picture on screen", async () => {
  await open();
  for (const key of ["j", "ArrowRight", "s", "K"]) press(key);
  await settle();
  assert.deepEqual(server.verdicts, [[1, "reject"], [2, "keep"], [3, "skip"], [4, "keep"]]);
});

test("a held key, a shortcut of the browser, and a key in a text field give no vote", async () => {
  await open();
  press("j", { repeat: true });
  press("j", { ctrlKey: true });
  press("J", { shiftKey: true });
  page.$("#name").dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true, composed: true }));
  await settle();
  assert.deepEqual(server.verdicts, []);
});

test("a keyboard without Latin letters votes by the place of the key", () => {
  const actions = (mode, key, code, more = {}) => actionOf(data.keys[mode], { key, code, ...more });
  assert.equal(actions("one", "о", "KeyJ"), "reject"); // Cyrillic
  assert.equal(actions("one", "ح", "KeyP"), undefined); // Arabic
  assert.equal(actions("one", "لا", "KeyB"), "blur"); // one key, two characters
  assert.equal(actions("one", "κ", "KeyK"), "keep"); // Greek
  assert.equal(actions("one", "ד", "KeyS"), "skip"); // Hebrew
  assert.equal(actions("one", "ま", "KeyJ"), "reject"); // kana
  assert.equal(actions("sweep", "Ч", "KeyX", { shiftKey: true }), "pick");
  assert.equal(actions("page", "؟", "Slash", { shiftKey: true }), "help");
  assert.equal(actions("page", "ظ", "Slash"), undefined);
  assert.equal(actions("one", "j", "KeyC"), "reject"); // Dvorak: by the letter on the key
  assert.equal(actions("one", "c", "KeyJ"), undefined);
  assert.equal(actions("one", "z", "KeyW"), "zoom"); // AZERTY
});

const LAYOUTS = {
  "US": [["1", "Digit1"], ["2", "Digit2"], ["9", "Digit9"]],
  "US with Shift": [["!", "Digit1", { shiftKey: true }], ["(", "Digit9", { shiftKey: true }]],
  "AZERTY": [["&", "Digit1"], ["é", "Digit2"], ["ç", "Digit9"]],
  "AZERTY with Shift": [["1", "Digit1", { shiftKey: true }], ["9", "Digit9", { shiftKey: true }]],
  "Czech": [["+", "Digit1"], ["ě", "Digit2"], ["í", "Digit9"]],
  "Vietnamese": [["ă", "Digit1"], ["Dead", "Digit5"]],
  "Thai": [["ๅ", "Digit1"], ["/", "Digit2"]],
  "Persian": [["۱", "Digit1"], ["۹", "Numpad9"]],
  "number pad": [["1", "Numpad1"], ["9", "Numpad9"]],
  "a screen's keyboard": [["3", ""]],
};
for (const [layout, keys] of Object.entries(LAYOUTS))
  test(`the digits give the reasons: ${layout}`, async () => {
    await open();
    for (const [key, code, more] of keys) {
      const number = Number(/\d$/.exec(code || key)[0]);
      press(key, { code, ...more });
      assert.deepEqual(page.mode.annotations.noted.reasons, [data.reasons[number - 1]], `${key} ${code}`);
      press(key, { code, ...more });
      assert.equal(page.mode.annotations.noted.reasons.length, 0);
    }
  });

test("a number pad without Num Lock, the 0 and an input method give no reason and no vote", async () => {
  await open();
  press("End", { code: "Numpad1" });
  press("End", { code: "Numpad1", shiftKey: true });
  press("0", { code: "Digit0" });
  press("j", { code: "KeyJ", isComposing: true });
  press("Process", { code: "KeyJ" });
  press("j", { code: "KeyJ", keyCode: 229 });
  press("1", { code: "Digit1", isComposing: true });
  await settle();
  assert.equal(page.mode.annotations.noted.reasons.length, 0);
  assert.deepEqual(server.verdicts, []);
});

test("while a dialog is open no key votes, on any layout", async () => {
  await open();
  for (const name of ["history", "help"]) {
    page.$(`.${name}`).showModal();
    for (const [key, code] of [["о", "KeyJ"], ["j", "KeyC"], ["&", "Digit1"]]) press(key, { code });
    page.$(`.${name}`).close();
  }
  await settle();
  assert.deepEqual(server.verdicts, []);
  assert.equal(page.mode.annotations.noted.reasons.length, 0);
});

test("a picture whose file is damaged makes room for the next one at once", async () => {
  server = new FakeServer(3);
  LoadedImage.broken.add("1");
  globalThis.fetch = async (path, { body }) => {
    const answer = server.answer(path, JSON.parse(body));
    server.damaged.add(1); // it was given once, before anybody asked for the file
    return answer;
  };
  page = await openPage(server);
  await settle();
  LoadedImage.broken.clear();
  assert.equal(page.mode.current?.id, 2);
  press("j");
  await settle();
  assert.deepEqual(server.verdicts, [[2, "reject"]]);
});

test("undo takes back the last vote, and its picture is next again", async () => {
  await open();
  press("j");
  press("k");
  press("u");
  await settle();
  assert.deepEqual(server.verdicts, [[1, "reject"], [2, "keep"], [2, "undo"]]);
  assert.equal(page.mode.current.id, 2);
});

test("every reason of the server has a button, and the first nine a key", async () => {
  await open();
  const names = [...document.querySelectorAll("[data-reason]")].map((button) => button.dataset.reason);
  assert.deepEqual(names, data.reasons);
  press("1");
  press("3");
  press("3");
  press("0");
  press("j");
  press("k");
  await settle();
  assert.deepEqual(sent().map((vote) => vote.reasons), [[data.reasons[0]], undefined]);
});

test("a mark is kept as shares of the picture's width and height, and a tap on it removes it", async () => {
  await open();
  tap(page, 25, 75);
  tap(page, 50, 10);
  tap(page, 120, 10); // beside the picture
  page.$(".glass").lastChild.getBoundingClientRect = () => ({ left: 37, top: 0, width: 26, height: 23 });
  tap(page, 52, 12);
  press("j");
  await settle();
  assert.deepEqual(sent()[0].marks, [{ x: 0.25, y: 0.75 }]);
});

test("a picture takes no more marks than the server does", async () => {
  await open(3, { limits: { maxMarks: 2 } });
  for (const x of [10, 40, 70]) tap(page, x, 50);
  assert.equal(page.mode.annotations.noted.marks.length, 2);
});

test("blur veils each new picture until a tap or the space bar, and marks nothing then", async () => {
  await open();
  press("b");
  assert.ok(page.stage.classList.contains("veiled"));
  tap(page, 50, 50);
  assert.ok(!page.stage.classList.contains("veiled"));
  assert.equal(page.mode.annotations.noted.marks.length, 0);
  press("j");
  assert.ok(page.stage.classList.contains("veiled"));
  press(" ");
  assert.ok(!page.stage.classList.contains("veiled"));
});

test("a swipe to the left rejects, to the right keeps, upwards skips", async () => {
  await open();
  for (const [dx, dy] of [[-120, 10], [120, -10], [5, -130], [20, 5]]) {
    const send = (kind, x, y) => page.$(".glass").dispatchEvent(Object.assign(new window.Event(kind), {
      isPrimary: true, pointerType: "touch", clientX: x, clientY: y, button: 0,
    }));
    send("pointerdown", 200, 200);
    send("pointermove", 200 + dx, 200 + dy);
    send("pointerup", 200 + dx, 200 + dy);
  }
  await settle();
  assert.deepEqual(server.verdicts.map(([, verdict]) => verdict), ["reject", "keep", "skip"]);
});

test("the hint of the swipes goes once the rater knows them", async () => {
  await open();
  const finger = (kind, x) => page.$(".glass").dispatchEvent(
    Object.assign(new window.Event(kind), {
      isPrimary: true, pointerType: "touch", clientX: x, clientY: 0, button: 0,
    }),
  );
  for (let count = 0; count < 3; count += 1) {
    assert.equal(page.$(".swipes").hidden, false);
    finger("pointerdown", 200);
    finger("pointermove", 150);
    assert.equal(page.stage.dataset.toward, "reject");
    finger("pointerup", 100);
    assert.equal(page.stage.dataset.toward, undefined);
    await settle();
  }
  assert.equal(page.$(".swipes").hidden, true);
});

test("long prompts get more room for the whole session, and all of it on request", async () => {
  server = new FakeServer(3);
  server.images[1].prompt = "a very long prompt ".repeat(20);
  page = await openPage(server);
  assert.equal(page.$(".main").dataset.prompts, "long");
  press("m");
  assert.equal(page.$(".main").dataset.prompts, "full");
  assert.equal(page.$(".more").getAttribute("aria-expanded"), "true");
  press("k");
  press("k");
  assert.equal(page.$(".main").dataset.prompts, "full");
  page.$(".more").click();
  assert.equal(page.$(".main").dataset.prompts, "long");
  await settle();
  assert.deepEqual(server.verdicts, [[1, "keep"], [2, "keep"]]);
});

test("the end of a prompt that the model did not read is struck through", async () => {
  server = new FakeServer(3);
  server.images[0].prompt = "🚀 a red star";
  server.images[0].unread = " star";
  page = await openPage(server, {});
  const prompt = page.$(".prompt");
  assert.equal(prompt.textContent, "🚀 a red star");
  assert.equal(prompt.querySelector("s").textContent, " star");
  press("j");
  await settle();
  assert.equal(prompt.textContent, "prompt 2");
  assert.equal(prompt.querySelector("s"), null);
});

test("pictures are fetched a few votes at a time, and each as soon as it is there where they are few", async () => {
  const votesPerPick = async (pictures, presses) => {
    page?.stop();
    server = new FakeServer(pictures);
    page = await openPage(server);
    await settle();
    const before = server.picks;
    for (let done = 0; done < presses; done += 1) {
      press("j");
      await settle();
    }
    assert.equal(server.votes.size, presses);
    return presses / (server.picks - before);
  };
  assert.ok((await votesPerPick(100, 30)) >= 5);
  assert.equal(await votesPerPick(10, 8), 1);
});
