// localStorage, or the tab's memory where the browser forbids localStorage or it is full. Every server below a path of
// one host has the same localStorage; the path in each key keeps the votes of one from being sent to another.
const HERE = new URL(".", location.href).pathname.slice(1);
const inMemory = new Map();

export function remember(key, value) {
  try {
    localStorage.setItem(HERE + key, value);
  } catch {
    inMemory.set(key, value);
  }
}

export function forget(key) {
  inMemory.delete(key);
  try {
    localStorage.removeItem(HERE + key);
  } catch {
    // Forbidden, so it never held the key.
  }
}

/** The value stored under this key, or null. */
export function recall(key) {
  try {
    return localStorage.getItem(HERE + key) ?? inMemory.get(key) ?? null;
  } catch {
    return inMemory.get(key) ?? null;
  }
}

export function storedKeys() {
  try {
    const mine = Object.keys(localStorage).filter((key) => key.startsWith(HERE));
    return [...mine.map((key) => key.slice(HERE.length)), ...inMemory.keys()];
  } catch {
    return [...inMemory.keys()];
  }
}
