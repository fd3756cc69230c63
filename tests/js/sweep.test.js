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

test("what was picked survives a reload, and is another rater's no more", async () => {
  await open(8, 4);
  click(1);
  click(2);
  const again = (rater) =>
    openPage(new FakeServer(8), { mode: "sweep", limits: { sweepSize: 4 }, rater, isNew: false });
  page.stop();
  page = await again("Ada");
  assert.deepEqual(rejected(), [false, true, true, false]);
  page.stop();
  page = await again("Bob");
  assert.deepEqual(rejected(), [false, false, false, false]);
});

const captions = () => cells().map((cell) => cell.querySelector("span").textContent);

/** Pictures with these prompts, one after another. */
async function openPrompts(...prompts) {
  server = new FakeServer(prompts.length);
  prompts.forEach((prompt, place) => (server.images[place].prompt = prompt));
  page = await openPage(server, { mode: "sweep", limits: { sweepSize: 4, sweepSizes: [4] } });
}

test("where all prompts begin alike the captions leave the beginning out, in whole words", async () => {
  await openPrompts("studio photo of a red fox", "studio photo of a rose", "studio photo of a red fox");
  assert.deepEqual(captions(), ["… red fox", "… rose", "… red fox"]);
  assert.equal(page.$(".prompt").textContent, "studio photo of a red fox");
  assert.equal(cells()[1].getAttribute("aria-label"), "studio photo of a rose");
  page.stop();
  await openPrompts("studio photo of a red fox", "a rose", "studio photo of a rose");
  assert.deepEqual(captions(), ["studio photo of a red fox", "a rose", "studio photo of a rose"]);
});

test("pictures of one prompt stand together on request, which the browser remembers", async () => {
  await openPrompts("a cat", "a dog", "a cat", "a dog");
  page.$("[data-tool=group]").click();
  assert.deepEqual(captions(), ["a cat", "same prompt", "a dog", "same prompt"]);
  click(1);
  press("Enter");
  await settle();
  assert.deepEqual(server.verdicts, [[1, "keep"], [3, "reject"], [2, "keep"], [4, "keep"]]);
  assert.equal(localStorage.getItem("naysayer.sweep.groups"), "yes");
});

test("a long press shows the whole prompt and picks nothing, a tap picks", async () => {
  await openPrompts("a cat", "a very long prompt");
  const finger = (kind) => cells()[1].dispatchEvent(
    Object.assign(new window.Event(kind), { pointerType: "touch", clientX: 5, clientY: 5 }));
  finger("pointerdown");
  await new Promise((done) => setTimeout(done, 500));
  finger("pointerup");
  click(1);
  assert.equal(page.$(".peek").open, true);
  assert.equal(page.$(".peek p").textContent, "a very long prompt");
  assert.deepEqual(rejected(), [false, false]);
  page.$(".peek").close();
  finger("pointerdown");
  finger("pointerup");
  click(1);
  assert.deepEqual(rejected(), [false, true]);
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

test("changing the mode keeps the pictures and what was noted on one", async () => {
  await open(8, 4);
  document.querySelector("[data-mode=one]").click();
  press("1");
  document.querySelector("[data-mode=sweep]").click();
  document.querySelector("[data-mode=one]").click();
  assert.deepEqual(page.mode.annotations.noted.reasons, [data.reasons[0]]);
  assert.equal(page.mode.current.id, 1);
  document.querySelector("[data-mode=sweep]").click();
  click(0);
  press("Enter");
  await settle();
  assert.deepEqual([...server.votes.values()][0].reasons, [data.reasons[0]]);
});
