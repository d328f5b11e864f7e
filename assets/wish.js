// What is asked for, in one box: a chip for all that is understood, suggestions while one types.
// props.catalogue: JSON of wish_box.py; props.value: JSON of {labels, phrases}.
const { kinds, implies, commas, joining, most, about } = JSON.parse(props.catalogue);
const SHOWN = 40; // suggestions at a time
const part = (name) => element.querySelector(`[data-part=${name}]`);
const [box, list, panel] = ["box", "list", "panel"].map(part);
const choices = kinds.flatMap((kind) => kind.choices); // [value, symbol, name, tags, group, face]
const kindOf = new Map(kinds.flatMap((kind) => kind.choices.map((one) => [one, kind])));
const comma = new RegExp(`[${commas}\\n]`, "u");
const splitter = new RegExp(`${comma.source}|(?<!\\S)(?:${joining.join("|")})(?!\\S)`, "iu");
const key = (text) => text.trim().toLowerCase();

// what a choice implies: an emoji its category, which looks like the first of its emoji
const impliedBy = new Map(choices.map((one) => [one, []]));
const faces = new Map();
for (const [finer, coarser, table] of implies) {
  const [fine, coarse] = [finer, coarser].map((name) => kinds.find((one) => one.name === name));
  fine.choices.forEach((one, index) => {
    const whole = coarse.choices[table[index]];
    impliedBy.get(one).push(whole);
    if (!faces.has(whole)) faces.set(whole, one[1]);
  });
}
const isCoarse = (kind) => implies.some((pair) => pair[1] === kind.name);

let wish = { labels: {}, phrases: [] };
let found = []; // what is suggested: choices, or { words }
let active = -1;

const make = (tag, properties, ...content) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content.filter(Boolean));
  return made;
};

const thumb = (choice) => {
  if (choice?.[5]) return make("img", { src: choice[5], alt: "" });
  const symbol = choice && (choice[1] || faces.get(choice));
  return symbol ? make("span", { className: "thumb", textContent: symbol }) : "";
};

const say = (words) => {
  part("said").textContent = words;
};

/** All that is asked for: phrases and labels, with their choices. */
const asked = () => [
  ...wish.phrases.map((phrase) => {
    const choice = choices.find((one) => kindOf.get(one).isMenu && key(one[0]) === key(phrase));
    return { phrase, choice, name: choice?.[2] ?? phrase };
  }),
  ...kinds
    .filter((kind) => wish.labels[kind.name])
    .map((kind) => {
      const name = wish.labels[kind.name];
      return { kind, choice: kind.choices.find((one) => one[0] === name), name };
    }),
];
const isAsked = (choice) => asked().some((one) => one.choice === choice);

const chip = (one) => {
  const cross = make("span", { className: "cross", textContent: "×" });
  const name = make("span", { textContent: one.name, dir: "auto" });
  const made = make("button", { type: "button", className: "chip" }, thumb(one.choice), name, cross);
  made.title = `Remove ${one.name}`;
  made.setAttribute("aria-label", made.title);
  made.addEventListener("click", () => {
    remove(one);
    box.focus();
  });
  return made;
};

/** Put the panel below the box. */
const place = () => {
  const { bottom, left, width } = element.querySelector(".line").getBoundingClientRect();
  panel.style.cssText = `--top: ${bottom + 6}px; left: ${left}px; width: ${width}px`;
};

const show = () => {
  const all = asked();
  part("chips").replaceChildren(...all.map(chip));
  box.placeholder = all.length ? "Add, or Enter to draw" : box.getAttribute("aria-label");
  chooser.mark();
  if (panel.matches(":popover-open")) place();
};

const keep = () => {
  props.value = JSON.stringify(wish);
  part("heard").textContent = `Asked for: ${asked().map((one) => one.name).join(", ") || "anything"}`;
  show();
};

const remove = ({ kind, phrase }) => {
  if (kind) delete wish.labels[kind.name];
  else wish.phrases = wish.phrases.filter((one) => one !== phrase);
  say("");
  keep();
};

const addPhrase = (phrase) => {
  if (wish.phrases.some((one) => key(one) === key(phrase))) return undefined;
  if (wish.phrases.length >= most) return say(`At most ${most} phrases: take one away first`);
  wish.phrases.push(phrase);
  return keep();
};

const add = (choice) => {
  const kind = kindOf.get(choice);
  say("");
  if (kind.isMenu) return addPhrase(choice[0]);
  for (const one of asked().filter((each) => each.kind)) {
    const [mine, its] = [choice, one.choice].map((each) => impliedBy.get(each) ?? []);
    if (its.includes(choice)) return say(`“${one.name}” is “${choice[0]}” already`);
    const contradicts = its.some((whole) => kindOf.get(whole) === kind);
    if (contradicts || mine.some((whole) => kindOf.get(whole) === one.kind)) {
      delete wish.labels[one.kind.name];
    }
  }
  wish.labels[kind.name] = choice[0];
  return keep();
};

const toggle = (choice) => {
  const before = asked().find((one) => one.choice === choice);
  if (before) remove(before);
  else add(choice);
};

const exact = (text) =>
  choices.find((one) => key(one[2]) === key(text) || key(one[0]) === key(text));

/** Take what was typed: names that are known, and phrases where the model takes text. */
const takeWords = (text) => {
  const whole = exact(text);
  for (const words of whole ? [text] : text.split(splitter)) {
    const phrase = words.trim().replace(/\s+/gu, " ");
    const known = phrase && exact(phrase);
    if (known) add(known);
    else if (phrase) addPhrase(phrase);
  }
};

const mark = (number) => {
  active = number;
  [...list.children].forEach((item, index) => {
    item.setAttribute("aria-selected", String(index === number));
  });
  if (number < 0) box.removeAttribute("aria-activedescendant");
  else box.setAttribute("aria-activedescendant", `wish-${number}`);
};

const option = (one, index) => {
  const text = one.words ? `“${one.words}”` : one[2];
  const tags = one[3]?.slice(0, 4).join(", ");
  const kind = one.words ? "as it is" : kindOf.get(one).name;
  const name = make("span", { textContent: text, dir: "auto" });
  const more = make("small", {}, kind, tags ? `: ${tags}` : "");
  const item = make("li", { id: `wish-${index}` }, one.words ? "" : thumb(one), name, more);
  item.setAttribute("role", "option");
  return item;
};

const close = () => {
  list.hidden = true;
  box.setAttribute("aria-expanded", "false");
  mark(-1);
};

const fill = () => {
  const text = box.value.trim();
  if (!text) return close();
  const { fits, choices: best } = window.varStudio.search(choices, text);
  const words = most && !exact(text) ? [{ words: text }] : [];
  const offered = best.slice(0, SHOWN);
  found = fits ? [...offered, ...words] : [...words, ...offered];
  list.replaceChildren(...found.map(option));
  list.hidden = !found.length;
  list.scrollTop = 0;
  box.setAttribute("aria-expanded", String(!list.hidden));
  mark(fits || most ? 0 : -1);
  return say(fits || most ? "" : `Nothing here is called “${text}”. The nearest:`);
};

const take = (one) => {
  box.value = "";
  close();
  if (one.words) takeWords(one.words);
  else add(one);
};

// what was typed and not picked: the best that fits, or a word about it
const leave = () => {
  const text = box.value.trim();
  close();
  if (!text) return undefined;
  const { fits, choices: best } = window.varStudio.search(choices, text);
  if (most || fits) return take(most ? { words: text } : best[0]);
  const nearest = best.slice(0, 3).map((one) => one[2]).join(", ");
  return say(`“${text}” is not known. The nearest: ${nearest}. Empty the box to draw without it`);
};

window.varStudio = { ...window.varStudio, leaveWish: leave };
box.addEventListener("input", () => {
  const parts = box.value.split(comma);
  const rest = parts.pop();
  say("");
  if (parts.length && (most || parts.every(exact))) {
    box.value = rest.trimStart();
    parts.forEach(takeWords);
  }
  fill();
});
box.addEventListener("focus", fill);
box.addEventListener("click", fill);
box.addEventListener("blur", leave);
box.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    if (list.hidden) return fill();
    mark(Math.min(Math.max(active + step, 0), found.length - 1));
    list.children[active].scrollIntoView({ block: "nearest" });
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (!box.value.trim()) window.varStudio.draw();
    else if (list.hidden) leave();
    else if (active >= 0) take(found[active]);
  } else if (event.key === "Escape" && !list.hidden) {
    event.stopPropagation(); // it closes the list, and stops no drawing
    say("");
    close();
  } else if (event.key === "Backspace" && !box.value && !event.repeat && asked().length) {
    remove(asked().at(-1));
  }
});
list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps its focus
list.addEventListener("click", (event) => {
  const item = event.target.closest("[role=option]");
  if (item) take(found[[...list.children].indexOf(item)]);
});
part("field").addEventListener("click", (event) => {
  if (event.target === part("field")) box.focus();
});
part("dice").addEventListener("click", () => {
  wish = { labels: {}, phrases: [] };
  kinds
    .filter((kind) => !isCoarse(kind))
    .forEach((kind, index) => {
      const one = kind.choices[Math.floor(Math.random() * kind.choices.length)];
      if (!index || Math.random() < 0.5) add(one);
    });
});

const chooser = window.varStudio.makeChooser(panel, {
  kinds: kinds.filter((kind) => !isCoarse(kind)),
  groupOf: (choice) => impliedBy.get(choice)[0] ?? choice[4] ?? "",
  make,
  thumb,
  toggle,
  add,
  isAsked,
});
panel.addEventListener("beforetoggle", (event) => {
  if (event.newState !== "open") return;
  if (box.getBoundingClientRect().bottom > innerHeight / 2) element.scrollIntoView();
  place();
  chooser.open();
});

const read = () => {
  if (props.value === JSON.stringify(wish)) return;
  const { labels, phrases } = JSON.parse(props.value);
  wish = { labels: { ...labels }, phrases: [...phrases] };
  for (const { choice } of asked()) {
    for (const whole of impliedBy.get(choice) ?? []) delete wish.labels[kindOf.get(whole).name];
  }
  show();
};
part("about").textContent = about;
for (const one of element.querySelectorAll(".line > button")) one.hidden = !kinds.length;
watch("value", read);
read();
