// localStorage, or the tab's memory where the browser forbids localStorage or it is full.
const inMemory = new Map();

export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    inMemory.set(key, value);
  }
}

export function forget(key) {
  inMemory.delete(key);
  try {
    localStorage.removeItem(key);
  } catch {
    // Forbidden, so it never held the key.
  }
}

/** The value stored under this key, or null. */
export function recall(key) {
  try {
    return localStorage.getItem(key) ?? inMemory.get(key) ?? null;
  } catch {
    return inMemory.get(key) ?? null;
  }
}

export function storedKeys() {
  try {
    return [...Object.keys(localStorage), ...inMemory.keys()];
  } catch {
    return [...inMemory.keys()];
  }
}
