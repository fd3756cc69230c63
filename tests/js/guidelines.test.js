import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { FakeServer, openPage, press, settle } from "./page.js";

let page;
let server;
afterEach(() => page?.stop());

async function open(guidelines, more = {}) {
  server = new FakeServer(6);
  server.guidelines = guidelines;
  page = await openPage(server, more);
  await settle();
}

const FIRST = { number: 3, html: "<p>Count the <b>fingers</b></p>" };
const followed = () => [...server.votes.values()].map((vote) => vote.guidelines);
const isOpen = () => Boolean(page.$(".guidelines").open);

test("guidelines are shown on the first visit, when no key votes, and each vote tells their version", async () => {
  await open(FIRST);
  assert.equal(page.$(".guidelines b").textContent, "fingers");
  assert.equal(page.$(".changed").hidden, true);
  press("j");
  press("g");
  assert.equal(isOpen(), false);
  press("j");
  press("u");
  await settle();
  assert.deepEqual(followed(), [3, 3]);
});

test("they come again when they changed, and by their key, but not on every visit", async () => {
  await open(FIRST);
  page.$(".guidelines").close();
  page.stop();
  await open(FIRST, { isNew: false });
  assert.equal(isOpen(), false);
  press("g");
  assert.equal(isOpen(), true);
  page.$(".guidelines").close();
  server.guidelines = { number: 4, html: "<p>new</p>" };
  await page.queue.refill();
  await settle();
  assert.equal(isOpen(), true);
  assert.equal(page.$(".changed").hidden, false);
});

test("without guidelines there is no button and no version", async () => {
  await open(undefined);
  assert.equal(page.$("[data-tool=guidelines]").hidden, true);
  press("g");
  press("j");
  await settle();
  assert.equal(isOpen(), false);
  assert.deepEqual(followed(), [null]);
});
