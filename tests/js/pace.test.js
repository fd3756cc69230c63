import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { FakeServer, openPage, press, settle } from "./page.js";

let page;
afterEach(() => page?.stop());

const pace = () => page.$(".pace").textContent;

test("the votes of the last minute are counted, undone ones not", async () => {
  page = await openPage(new FakeServer(6));
  press("j");
  assert.equal(pace(), "");
  press("j");
  press("k");
  assert.equal(pace(), " · 3 in the last minute");
  press("u");
  assert.equal(pace(), " · 2 in the last minute");
  page.pace.times = page.pace.times.map((time) => time - 61_000);
  page.pace.show();
  assert.equal(pace(), "");
});

test("what is no answer is not counted, and no more than the answers of today", async () => {
  page = await openPage(new FakeServer(9));
  for (const key of "jsks") press(key);
  assert.equal(page.$(".today").textContent, "2 answers today · 2 in the last minute");
  press("u");
  assert.equal(page.$(".today").textContent, "2 answers today · 2 in the last minute");
  press("s");
  press("j");
  await settle();
  assert.equal(page.$(".today").textContent, "3 answers today · 3 in the last minute");
  page.status.today = 1; // another picture was judged again, or midnight has passed
  page.status.showCount();
  assert.equal(page.$(".today").textContent, "1 answer today");
});

test("an answer of the server that is older than the votes it took does not lower the count", async () => {
  const server = new FakeServer(40);
  page = await openPage(server, { limits: { queue: 3 } });
  const answer = server.answer.bind(server);
  const late = [];
  server.answer = (path, body) => {
    const reply = answer(path, body);
    return path.endsWith("/next") ? new Promise((done) => late.push(() => done(reply))) : reply;
  };
  page.queue.refill();
  for (const key of "jkj") press(key);
  await settle();
  for (const done of late) done();
  await settle();
  assert.equal(page.$(".today").textContent, "3 answers today · 3 in the last minute");
});

test("after a reload an undone answer is in neither count", async () => {
  const server = new FakeServer(6);
  page = await openPage(server);
  press("j");
  press("j");
  await settle();
  server.recent = server.images.slice(0, 2).reverse().map((image) => ({ image, verdict: "reject" }));
  page.stop();
  page = await openPage(server, { isNew: false });
  press("u");
  await settle();
  press("j");
  await settle();
  assert.equal(page.$(".today").textContent, "2 answers today");
  press("k");
  await settle();
  assert.equal(page.$(".today").textContent, "3 answers today · 2 in the last minute");
});

test("the goal is counted down, reached, and remembered", async () => {
  page = await openPage(new FakeServer(6));
  page.pace.goal.value = "2";
  page.pace.goal.dispatchEvent(new window.Event("change"));
  press("j");
  assert.equal(pace(), " · 1 of 2 this session");
  press("j");
  assert.equal(pace(), " · 2 in the last minute · goal of 2 reached");
  assert.equal(localStorage.getItem("naysayer.goal"), "2");
});
