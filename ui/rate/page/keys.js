// Which key means which verdict.
const KEYS = { j: "reject", k: "keep", s: "skip", u: "undo", ArrowLeft: "reject", ArrowRight: "keep" };
const CODES = { KeyJ: "reject", KeyK: "keep", KeyS: "skip", KeyU: "undo" };

function verdictOf(event) {
  // By letter; by place on the keyboard where the layout has no Latin letters.
  const isLatin = event.key.length > 1 || event.key.charCodeAt(0) < 128;
  return isLatin ? (KEYS[event.key] ?? KEYS[event.key.toLowerCase()]) : CODES[event.code];
}

function isTyping(target) {
  return target?.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target?.tagName);
}
