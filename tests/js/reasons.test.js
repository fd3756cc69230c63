// Which picture a reason or a mark belongs to.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { data, FakeServer, openPage, press, settle, tap } from "./page.js";

let page;
let server;
afterEach(() => page?.stop());

async function open(count = 6, options = {}) {
  server = new FakeServer(count);
  page = await openPage(server, options);
}

const sent = () => [...server.votes.values()];
const reasonsSent = () => sent().map(({ image_id, verdict, reasons = [] }) => [image_id, verdict, reasons.join()]);
const [HANDS, ANATOMY, TEXT] = data.reasons;

test("a reason pressed right after a reject belongs to the rejected picture, and the page says so", async () => {
  await open();
  press("j");
  press("1");
  assert.equal(page.$(".whose").textContent, `${HANDS} → previous picture`);
  press("3");
  await settle();
  assert.equal(page.mode.current.noted, undefined);
  assert.deepEqual(reasonsSent(), [[1, "reject", ""], [1, "reject", HANDS], [1, "reject", `${HANDS},${TEXT}`]]);
  assert.equal(new Set(sent().map(({ decided_at }) => decided_at)).size, 1);
});

test("a reason that follows adds to those given before, and a second press takes it off", async () => {
  await open();
  press("2");
  press("j");
  press("1");
  press("2");
  await settle();
  assert.deepEqual(reasonsSent().map(([, , reasons]) => reasons), [ANATOMY, `${ANATOMY},${HANDS}`, HANDS]);
});

test("a reason that follows waits in the outbox behind its vote", async () => {
  await open();
  server.isDown = true;
  press("j");
  press("1");
  await settle();
  assert.equal(page.$(".count").textContent, "1");
  server.isDown = false;
  page.sender.sendIn(0);
  await settle();
  assert.deepEqual(reasonsSent(), [[1, "reject", ""], [1, "reject", HANDS]]);
});

test("after another key, or two seconds, a reason belongs to the picture on screen", async () => {
  await open(6, { limits: { lateReasonMs: 20 } });
  press("j");
  press("z");
  press("1");
  assert.deepEqual(page.mode.current.noted.reasons, [HANDS]);
  press("j");
  await new Promise((done) => setTimeout(done, 60));
  press("2");
  assert.equal(page.mode.current.id, 3);
  assert.deepEqual(page.mode.current.noted.reasons, [ANATOMY]);
  await settle();
  assert.deepEqual(reasonsSent(), [[1, "reject", ""], [2, "reject", HANDS]]);
});

test("a bar runs down while a reason belongs to the previous picture, and starts again with each reason", async () => {
  await open(6, { limits: { lateReasonMs: 90 } });
  const bar = () => page.$(".whose i");
  assert.equal(bar(), null);
  press("j");
  press("1");
  const first = bar();
  assert.equal(first.style.animationDuration, "90ms");
  press("2");
  assert.notEqual(bar(), first);
  while (bar()) await new Promise((done) => setTimeout(done, 10));
  assert.equal(page.$(".whose").textContent, "What is wrong? (optional)");
});

test("a keep and a skip take no reasons and marks along, and no reason follows them", async () => {
  await open();
  press("1");
  tap(page, 10, 10);
  press("k");
  press("2");
  assert.deepEqual(page.mode.current.noted.reasons, [ANATOMY]);
  press("s");
  await settle();
  assert.deepEqual(sent().map(({ verdict, reasons, marks }) => [verdict, reasons, marks]),
    [["keep", undefined, undefined], ["skip", undefined, undefined]]);
});

test("a mark made too soon to be meant for the next picture is on the rejected one, a later one is not", async () => {
  await open();
  page.stage.getBoundingClientRect = () => ({ left: 0, top: 0, width: 200, height: 100 });
  Object.assign(page.mode.current.img.style, { width: "100px", height: "100px" });
  press("j");
  tap(page, 75, 50);
  assert.equal(page.mode.current.noted, undefined);
  page.mode.annotations.rejectedAt -= 1000;
  tap(page, 75, 50);
  assert.deepEqual(page.mode.current.noted.marks, [{ x: 0.75, y: 0.5 }]);
  await settle();
  assert.deepEqual(sent().map(({ image_id, marks }) => [image_id, marks]),
    [[1, undefined], [1, [{ x: 0.25, y: 0.5 }]]]);
});

test("undo brings reasons and marks back, those of the picture that steps back stay with it", async () => {
  await open();
  press("2");
  tap(page, 10, 10);
  press("j");
  press("1");
  press("z");
  press("3");
  press("u");
  assert.deepEqual(page.mode.annotations.noted, { reasons: [ANATOMY, HANDS], marks: [{ x: 0.1, y: 0.1 }] });
  assert.equal(page.$(".glass").children.length, 1);
  press("j");
  assert.deepEqual(page.mode.current.noted.reasons, [TEXT]);
  await settle();
  assert.deepEqual(sent().at(-1).reasons, [ANATOMY, HANDS]);
  assert.deepEqual(sent().at(-1).marks, [{ x: 0.1, y: 0.1 }]);
});

test("after a reload undo still brings back what the server knows of the vote", async () => {
  server = new FakeServer(3);
  server.recent = [{
    image: { id: 9, url: "/naysayer/image/9", prompt: "prompt 9", width: 64, height: 64 }, verdict: "reject",
    noted: { reasons: [TEXT], marks: [] },
  }];
  page = await openPage(server);
  press("u");
  await settle();
  assert.equal(page.mode.current.id, 9);
  assert.equal(page.$(`[data-reason=${TEXT}]`).getAttribute("aria-pressed"), "true");
});


test("what undo brought back and what is noted so far survive a reload", async () => {
  await open();
  press("2");
  press("j");
  press("u");
  await settle();
  page.stop();
  server = new FakeServer(6);
  page = await openPage(server, { isNew: false });
  assert.deepEqual(page.mode.current.noted.reasons, [ANATOMY]);
  press("j");
  await settle();
  assert.deepEqual(reasonsSent(), [[1, "reject", ANATOMY]]);
});
