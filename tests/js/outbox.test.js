import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { FakeServer, openPage, press, settle } from "./page.js";
import { lastUnsentVotes, newId, post, unsentCount, unsentVotes } from "../../ui/rate/page/outbox.js";

const QUICK = { firstResendMs: 1, lastResendMs: 4 };
let page;
afterEach(() => page?.stop());

async function until(isTrue) {
  for (let tries = 0; !isTrue(); tries += 1) {
    assert.ok(tries < 400, "waited too long");
    await new Promise((done) => setTimeout(done, 5));
  }
}

test("a vote is sent again until the server acknowledges it", async () => {
  const server = new FakeServer(3);
  page = await openPage(server, { limits: QUICK });
  server.isDown = true;
  const before = server.requests;
  press("j");
  await until(() => server.requests > before + 3);
  assert.equal(unsentVotes().length, 1);
  assert.match(page.$(".note").textContent, /1 vote waiting to be sent/);
  server.isDown = false;
  await until(() => unsentVotes().length === 0);
  assert.deepEqual(server.verdicts, [[1, "reject"]]);
  assert.equal(page.$(".note").textContent, "");
});

test("the pause between tries doubles up to its limit and starts again after an answer", async () => {
  const server = new FakeServer(3);
  page = await openPage(server, { limits: QUICK });
  server.isDown = true;
  press("j");
  await until(() => page.sender.waitMs === 4);
  server.isDown = false;
  await until(() => unsentVotes().length === 0);
  assert.equal(page.sender.waitMs, 1);
});

test("votes that wait for another rater's sign-in hold up no vote of the one who rates now", async () => {
  const server = new FakeServer(3);
  page = await openPage(server, { limits: QUICK });
  server.signedIn = "Ada";
  post("Bob", { id: 3, url: "/naysayer/image/3", prompt: "", width: 64, height: 64 }, "keep", { page: "one" });
  press("j");
  await until(() => server.votes.size === 1);
  await until(() => page.$(".note").textContent);
  assert.deepEqual(server.verdicts, [[1, "reject"]]);
  assert.deepEqual(unsentVotes().map(({ rater }) => rater), ["Bob"]);
  assert.match(page.$(".note").textContent, /These votes belong to another\. 1 vote waiting to be sent/);
});

test("a server that asks for a pause gets it, with every vote after it, and the page says why", async () => {
  const server = new FakeServer(5);
  page = await openPage(server, { limits: QUICK });
  server.pauseS = 0.2;
  press("j");
  await until(() => page.sender.notBefore > 0);
  const asked = server.requests;
  press("k");
  press("j");
  window.dispatchEvent(new window.Event("online"));
  await new Promise((done) => setTimeout(done, 50));
  const sentEarly = server.requests - asked;
  assert.equal(unsentVotes().length, 3);
  assert.match(page.$(".note").textContent, /Too many votes at once\. 3 votes waiting to be sent/);
  server.pauseS = 0;
  await until(() => unsentVotes().length === 0);
  assert.ok(sentEarly <= 3, "only pictures were asked for");
  assert.deepEqual(server.verdicts, [[1, "reject"], [2, "keep"], [3, "reject"]]);
  assert.equal(page.$(".note").textContent, "");
});

test("a malformed vote is dropped, said, and does not hold up the others", async () => {
  const server = new FakeServer(4);
  server.malformed.add(2);
  page = await openPage(server, { limits: QUICK });
  for (let count = 0; count < 3; count += 1) press("k");
  await until(() => unsentVotes().length === 0);
  assert.deepEqual(server.verdicts, [[1, "keep"], [3, "keep"]]);
  assert.match(page.$(".note").textContent, /One vote was not recorded: malformed/);
});

test("an undo always comes after its vote, and both are counted", async () => {
  page = await openPage(new FakeServer(1));
  page.sender.stop();
  const picture = { id: 7, url: "", prompt: "", width: 1, height: 1 };
  post("Bob", picture, "reject", { page: "one" });
  assert.equal(unsentCount("Bob"), 1);
  post("Bob", picture, "undo", { was: "reject", page: "one" });
  assert.equal(unsentCount("Bob"), 0);
  assert.equal(lastUnsentVotes("Bob").get(7).vote.verdict, "undo");
  assert.deepEqual(unsentVotes().map(({ vote }) => vote.verdict), ["reject", "undo"]);
});

test("without localStorage votes are kept in memory and still sent", async () => {
  const server = new FakeServer(2);
  page = await openPage(server);
  const { localStorage } = globalThis;
  globalThis.localStorage = { getItem() { throw new Error(); }, setItem() { throw new Error(); } };
  press("j");
  await settle();
  globalThis.localStorage = localStorage;
  assert.deepEqual(server.verdicts, [[1, "reject"]]);
});

test("request ids differ, also where the browser has no randomUUID", () => {
  const ids = new Set(Array.from({ length: 50 }, () => newId()));
  assert.equal(ids.size, 50);
});
