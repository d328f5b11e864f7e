// What this browser keeps from visit to visit; one that keeps nothing remembers nothing.
const recall = (name) => {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
};
/** Keep a text; returns whether it is kept. */
const keep = (name, text) => {
  try {
    localStorage.setItem(name, text);
    return true;
  } catch {
    return false;
  }
};
window.varStudio = { ...window.varStudio, recall, keep };
