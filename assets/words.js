// The page in the language of the browser. The table is gradio's own, which translates the labels of
// its widgets: from English sentences to others, with {0}, {1} ... where something else stands.
const TABLES = window.gradio_config?.i18n_translations ?? {};
const LANGUAGE = Object.keys(TABLES).find(
  (one) => one.split("-")[0] === navigator.language.split("-")[0].toLowerCase(),
);
const NAMES = ["title", "aria-label", "aria-valuetext", "placeholder", "alt"];
const FOREIGN = "[dir=auto], script, style, textarea, code, kbd"; // words of people and models

const TELLING = 12; // letters of a sentence beside what changes in it

const raised = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
/** A text whose first letter has the other case. */
const turned = (text) => {
  const lowered = text.slice(0, 1).toLowerCase() + text.slice(1);
  return text === lowered ? raised(text) : lowered;
};

/** A function that translates a text; what it does not know stays. */
const makeTranslator = (table) => {
  const patterns = [];
  const exact = new Map();
  for (const [english, other] of Object.entries(table)) {
    if (!english.includes("{0}")) {
      exact.set(english, other);
      continue;
    }
    const parts = english.split(/\{\d\}/u);
    const source = parts.map((one) => one.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")).join("(.+?)");
    const letters = parts.join("").length; // the one that says most comes first
    patterns.push({ pattern: new RegExp(`^${source}$`, "su"), other, letters });
  }
  patterns.sort((a, b) => b.letters - a.letters);
  const known = new Map();
  /** The entry of a text, whichever case its first letter has. */
  const findExact = (text) => {
    const other = exact.get(turned(text));
    if (exact.has(text) || other === undefined) return exact.get(text);
    return text === raised(text) ? raised(other) : other;
  };
  /** The translation of a text; of one inside another, only by what says enough to be no name. */
  const find = (text, least = 0) => {
    const whole = findExact(text);
    if (whole !== undefined) return whole;
    for (const { pattern, other, letters } of patterns) {
      const found = letters >= least ? (pattern.exec(text) ?? pattern.exec(turned(text))) : null;
      if (found) {
        return other.replace(/\{(\d)\}/gu, (_, place) => {
          const part = found[Number(place) + 1];
          return find(part, TELLING) ?? part;
        });
      }
    }
    return null;
  };
  /** The translation of a text, or of those of its sentences that are known. */
  const findParts = (text) => {
    const whole = find(text);
    const parts = text.split(". ");
    if (whole !== null || parts.length < 2) return whole;
    const found = parts.map((one) => find(one));
    return found.every((one) => one === null) ? null : found.map((one, place) => one ?? parts[place]).join(". ");
  };
  return (text) => {
    const words = text.trim().replace(/\s+/gu, " ");
    if (!known.has(words)) {
      if (known.size > 2000) known.clear();
      known.set(words, findParts(words));
    }
    const other = known.get(words);
    return other === null ? text : text.replace(text.trim(), () => other);
  };
};

const translateAll = (translate) => {
  const ofNode = (node) => {
    if (!node.data.trim() || node.parentElement?.closest(FOREIGN)) return;
    const other = translate(node.data);
    if (other !== node.data) node.data = other;
  };
  const ofName = (one, name) => {
    const text = one.getAttribute(name);
    const other = text && translate(text);
    if (other && other !== text) one.setAttribute(name, other);
  };
  const ofTree = (root) => {
    if (root.nodeType === Node.TEXT_NODE) return ofNode(root);
    if (root.nodeType !== Node.ELEMENT_NODE) return undefined;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) ofNode(walker.currentNode);
    const selector = NAMES.map((name) => `[${name}]`).join();
    for (const one of [root, ...root.querySelectorAll(selector)]) NAMES.forEach((name) => ofName(one, name));
    return undefined;
  };
  ofTree(document.body);
  new MutationObserver((changes) => {
    for (const { type, target, attributeName, addedNodes } of changes) {
      if (type === "attributes") ofName(target, attributeName);
      else if (type === "characterData") ofNode(target);
      else addedNodes.forEach(ofTree);
    }
  }).observe(document.body, {
    attributeFilter: NAMES,
    characterData: true,
    childList: true,
    subtree: true,
  });
};

if (LANGUAGE) {
  document.documentElement.lang = LANGUAGE;
  translateAll(makeTranslator(TABLES[LANGUAGE]));
}
