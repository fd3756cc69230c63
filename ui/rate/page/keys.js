// Which key means which action. The bindings come from the server, a list of keys for each action of a mode.

/** The action of this key, such as "reject"; undefined for a key without one. */
export function actionOf(bindings, event) {
  // By what the key types; by its place on the keyboard where the layout types no Latin letters.
  const isLatin = event.key.charCodeAt(0) < 128;
  const isBound = (key) => (isLatin ? key.toLowerCase() === event.key.toLowerCase() : isPlaceOf(key, event));
  return Object.keys(bindings).find((action) => bindings[action].some(isBound));
}

function isPlaceOf(key, { code, shiftKey }) {
  return key === "?" ? shiftKey && code === "Slash" : code === `Key${key.toUpperCase()}`;
}

/** The digit of this key, 1 to 9, in the row or on the number pad, with Shift or without; 0 for any other key. */
export function digitOf({ key, code }) {
  if (/^[1-9]$/.test(key)) return Number(key);
  // Not End or Home: the number pad's keys without Num Lock.
  const isTyped = [...key].length === 1 || key === "Dead";
  return (isTyped && Number(/^(?:Digit|Numpad)([1-9])$/.exec(code ?? "")?.[1])) || 0;
}

/** True for a key that an input method takes, such as one for Japanese. */
export function isComposed({ isComposing, key, keyCode }) {
  return isComposing || key === "Process" || keyCode === 229;
}

export function isTyping(target) {
  return target?.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target?.tagName);
}
