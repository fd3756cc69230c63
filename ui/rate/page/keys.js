// Which key means which action. The bindings come from the server, a list of keys for each action of a mode.

/** The action of this key, such as "reject"; undefined for a key without one. */
export function actionOf(bindings, event) {
  // By letter; by position on the keyboard where the layout has no Latin letters.
  const isLatin = event.key.length > 1 || event.key.charCodeAt(0) < 128;
  const isBound = (key) =>
    isLatin ? key.toLowerCase() === event.key.toLowerCase() : `Key${key.toUpperCase()}` === event.code;
  return Object.keys(bindings).find((action) => bindings[action].some(isBound));
}

export function isTyping(target) {
  return target?.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target?.tagName);
}
