import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { FakeServer, openPage, press, settle } from "./page.js";

let page;
afterEach(() => page?.stop());

test("a vote is changed from the history by a new vote", async () => {
  const server = new FakeServer(4);
  page = await openPage(server);
  press("1");
  press("j");
  press("k");
  page.$("[data-tool=history]").click();
  assert.deepEqual([...document.querySelectorAll(".history .verdict")].map((one) => one.textContent.trim()),
    ["Kept", "Rejected · hands"]);
  assert.equal(document.querySelector(".history ol").firstChild.querySelector("img").getAttribute("src"),
    "/naysayer/image/2");
  document.querySelectorAll(".history li button")[1].click();
  await settle();
  assert.deepEqual(server.verdicts, [[1, "reject"], [2, "keep"], [1, "keep"]]);
});

test("no more votes are listed than the limit says", async () => {
  page = await openPage(new FakeServer(6), { limits: { history: 2 } });
  for (const key of "jkj") press(key);
  page.$("[data-tool=history]").click();
  assert.equal(document.querySelectorAll(".history li").length, 2);
});
