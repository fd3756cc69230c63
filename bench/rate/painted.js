// Adds to `took`, for each key press, the milliseconds from the event's own time stamp until another picture is painted
// inside the first element that `selector` finds. It looks before every frame; a message sent then arrives once that
// frame is styled, laid out and painted. `opened`: when the first picture was painted; `moved`: bytes fetched by then.
(selector) => {
  window.took = [];
  let root = null;

  /** The first match, also inside shadow trees. */
  const find = (tree) => {
    const found = tree.querySelector(selector);
    if (found) return found;
    for (const { shadowRoot } of tree.querySelectorAll("*")) {
      const inside = shadowRoot && find(shadowRoot);
      if (inside) return inside;
    }
    return null;
  };

  const shown = () => {
    if (!root?.isConnected) root = find(document);
    const img = root?.querySelector("img");
    return img?.complete && img.naturalWidth ? { img, src: img.src } : null;
  };

  const whenPainted = (isSo, act) => {
    const look = () => {
      if (!isSo(shown())) return requestAnimationFrame(look);
      const channel = new MessageChannel();
      channel.port1.onmessage = act;
      channel.port2.postMessage("");
    };
    requestAnimationFrame(look);
  };

  window.addEventListener("keydown", ({ timeStamp }) => {
    const before = shown();
    const isOther = (now) => now && (now.img !== before?.img || now.src !== before.src);
    whenPainted(isOther, () => window.took.push(performance.now() - timeStamp));
  }, true);

  whenPainted(Boolean, () => {
    window.opened = performance.now();
    const fetched = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    window.moved = fetched.reduce((sum, { transferSize }) => sum + transferSize, 0);
  });
}
