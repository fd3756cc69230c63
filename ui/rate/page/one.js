// A single picture, as large as the stage allows.
const MARGIN_PX = 8;

class One {
  constructor(desk) {
    this.desk = desk;
  }

  show() {
    const image = this.desk.hand.queue[0] ?? null;
    const frame = this.desk.$(".frame");
    for (const button of this.desk.root.querySelectorAll("[data-verdict]:not([data-verdict=undo])"))
      button.disabled = !this.desk.mayVote(image, button.dataset.verdict);
    this.desk.$(".prompt").textContent = image?.prompt ?? "";
    if (image?.isReady) {
      if (frame.firstChild !== image.img) frame.replaceChildren(image.img);
      const isNew = this.desk.current !== image;
      if (isNew) image.shownAt = Date.now();
      this.desk.current = image;
      this.fit();
      if (isNew) this.desk.tools.begin();
    } else if (image?.isBroken) frame.replaceChildren(this.brokenNote());
    else frame.replaceChildren();
    if (image?.isReady) return;
    this.desk.current = null;
    this.desk.tools.show();
  }

  brokenNote() {
    const note = document.createElement("p");
    note.className = "broken";
    note.textContent = "This picture could not be loaded. It is tried again in a moment; Skip passes it over.";
    return note;
  }

  fit() {
    const img = this.desk.current?.img;
    if (!img?.naturalWidth || !this.desk.room) return;
    const { width, height } = this.desk.room;
    const room = Math.min((width - 2 * MARGIN_PX) / img.naturalWidth, (height - 2 * MARGIN_PX) / img.naturalHeight);
    // Whole multiples of the screen's own pixels: a defect must not come from the enlargement.
    const scale = room >= 1 ? Math.floor(room * devicePixelRatio) / devicePixelRatio : room;
    img.style.width = `${img.naturalWidth * scale}px`;
    img.style.height = `${img.naturalHeight * scale}px`;
    img.style.imageRendering = scale > 1 ? "pixelated" : "auto";
    this.desk.tools.fit();
  }
}
