import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { data, FakeServer, openPage, press, settle } from "./page.js";
import { actionOf } from "../../ui/rate/page/keys.js";

let page;
let server;
afterEach(() => page?.stop());

async function open(count = 6, options = {}) {
  server = new FakeServer(count);
  page = await openPage(server, options);
}

const sent = () => [...server.votes.values()];

/** The picture on screen is 100 px wide and high, at the top left. */
function tap(x, y) {
  page.mode.current.img.getBoundingClientRect = () => ({ left: 0, top: 0, width: 100, height: 100 });
  for (const kind of ["pointerdown", "pointerup"]) {
    const event = Object.assign(new window.Event(kind), { isPrimary: true, clientX: x, clientY: y, button: 0 });
    page.$(".glass").dispatchEvent(event);
  }
}

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
  assert.equal(actionOf(data.keys.one, { key: "о", code: "KeyJ" }), "reject");
  assert.equal(actionOf(data.keys.one, { key: "j", code: "KeyC" }), "reject");
  assert.equal(actionOf(data.keys.one, { key: "c", code: "KeyJ" }), undefined);
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
  assert.deepEqual(sent().map((vote) => vote.reasons), [[data.reasons[0]], []]);
});

test("a mark is kept as shares of the picture's width and height, and a tap on it removes it", async () => {
  await open();
  tap(25, 75);
  tap(50, 10);
  tap(120, 10); // beside the picture
  page.$(".glass").lastChild.getBoundingClientRect = () => ({ left: 37, right: 63, top: 0, bottom: 23 });
  tap(52, 12);
  press("j");
  await settle();
  assert.deepEqual(sent()[0].marks, [{ x: 0.25, y: 0.75 }]);
});

test("a picture takes no more marks than the server does", async () => {
  await open(3, { limits: { maxMarks: 2 } });
  for (const x of [10, 40, 70]) tap(x, 50);
  assert.equal(page.mode.annotations.marks.length, 2);
});

test("undo drops the reasons and marks of the picture that steps back", async () => {
  await open();
  press("j");
  press("2");
  tap(10, 10);
  press("u");
  press("k");
  await settle();
  assert.deepEqual(sent().at(-1).reasons, []);
  assert.deepEqual(sent().at(-1).marks, []);
});

test("blur veils each new picture until a tap or the space bar, and marks nothing then", async () => {
  await open();
  press("b");
  assert.ok(page.stage.classList.contains("veiled"));
  tap(50, 50);
  assert.ok(!page.stage.classList.contains("veiled"));
  assert.equal(page.mode.annotations.marks.length, 0);
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
