import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { data, FakeServer, openPage, press, settle } from "./page.js";

let page;
let server;
afterEach(() => page?.stop());

async function open(count, size) {
  server = new FakeServer(count);
  page = await openPage(server, { mode: "sweep", limits: { sweepSize: size, sweepSizes: data.limits.sweepSizes } });
}

const cells = () => [...document.querySelectorAll(".cell")];
const rejected = () => cells().map((cell) => cell.getAttribute("aria-pressed") === "true");
const click = (place, more = {}) => cells()[place].dispatchEvent(new window.MouseEvent("click", more));

test("the sizes to choose from are the server's", async () => {
  await open(12, 9);
  assert.deepEqual([...page.$(".size").options].map(({ value }) => Number(value)), data.limits.sweepSizes);
  assert.equal(cells().length, 9);
  page.$(".size").value = "4";
  page.$(".size").dispatchEvent(new window.Event("change"));
  assert.equal(cells().length, 4);
});

test("Enter rejects the picked pictures and keeps the rest, one vote each", async () => {
  await open(8, 4);
  click(1);
  click(2);
  click(2);
  assert.equal(page.$(".submit span").textContent, "Reject 1, keep 3");
  press("Enter");
  await settle();
  assert.deepEqual(server.verdicts, [[1, "keep"], [2, "reject"], [3, "keep"], [4, "keep"]]);
  assert.equal(new Set(server.votes.keys()).size, 4);
  assert.deepEqual([...server.votes.values()].map((vote) => vote.page), Array(4).fill("sweep"));
});

test("Shift gives all pictures in between what the first pick gave", async () => {
  await open(9, 9);
  click(1);
  click(4, { shiftKey: true });
  assert.deepEqual(rejected(), [false, true, true, true, true, false, false, false, false]);
  press("ArrowLeft");
  press("x");
  assert.deepEqual(rejected(), [false, true, true, false, true, false, false, false, false]);
});

test("undo takes the whole grid back with its rejects", async () => {
  await open(8, 4);
  click(0);
  press("Enter");
  await settle();
  press("u");
  await settle();
  assert.equal([...server.votes.values()].filter(({ verdict }) => verdict === "undo").length, 4);
  assert.deepEqual(rejected(), [true, false, false, false]);
});

test("a picture that was not painted gets no vote", async () => {
  await open(4, 4);
  for (const picture of page.queue.pictures) delete picture.shownAt;
  press("Enter");
  await settle();
  assert.deepEqual(server.verdicts, []);
});

test("both modes have the same methods", async () => {
  await open(1, 4);
  const methods = (mode) => Object.getOwnPropertyNames(Object.getPrototypeOf(mode));
  for (const name of ["show", "fit", "key", "submit", "restore", "leave", "stop"])
    for (const mode of Object.values(page.modes)) assert.ok(methods(mode).includes(name), `${mode.name}: ${name}`);
  for (const name of ["name", "size", "near", "pinned", "ahead", "wanted"])
    for (const mode of Object.values(page.modes)) assert.notEqual(mode[name], undefined, `${mode.name}: ${name}`);
});

test("changing the mode keeps the pictures and drops what was noted on one", async () => {
  await open(8, 4);
  document.querySelector("[data-mode=one]").click();
  press("1");
  document.querySelector("[data-mode=sweep]").click();
  document.querySelector("[data-mode=one]").click();
  assert.equal(page.mode.annotations.reasons.size, 0);
  assert.equal(page.mode.current.id, 1);
});
