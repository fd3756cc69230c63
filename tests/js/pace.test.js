import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { FakeServer, openPage, press } from "./page.js";

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
