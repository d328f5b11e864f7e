// One box for all that is asked for. props.catalogue: JSON of wish_box.py; props.value: JSON of
// {labels, phrases}. What is understood becomes a chip; a label model knows names alone.
const { kinds, implies, joining, most, hint } = JSON.parse(props.catalogue);
const SHOWN = 40; // suggestions at a time
const box = element.querySelector("input");
const list = element.querySelector("ul");
const note = element.querySelector(".note");
const part = (name) => element.querySelector(`[data-part=${name}]`);
const kindOf = new Map();
for (const kind of kinds) for (const choice of kind.choices) kindOf.set(choice, kind);
const choices = kinds.flatMap((kind) => kind.choices);
const kindNamed = (name) => kinds.find((kind) => kind.name === name);
const splitter = new RegExp(`[,;\\n，；、،]|(?<!\\S)(?:${joining.join("|")})(?!\\S)`, "iu");
const key = (text) => text.trim().toLowerCase();

let wish = { labels: {}, phrases: [] };
let found = { fits: true, choices: [] };
let active = -1;

/** The choice that a finer label implies, for each pair of attributes. */
const impliedBy = ([finer, coarser, table]) => {
  const place = kindNamed(finer).choices.findIndex((one) => one[0] === wish.labels[finer]);
  return place < 0 ? "" : kindNamed(coarser).choices[table[place]][0];
};

/** Leave out what another label says already. */
const dropImplied = () => {
  for (const pair of implies) if (wish.labels[pair[0]]) delete wish.labels[pair[1]];
};

const keep = () => {
  const value = JSON.stringify(wish);
  if (value !== props.value) props.value = value;
  show();
};

const add = (choice) => {
  const kind = kindOf.get(choice);
  note.textContent = "";
  if (kind.isMenu) return addPhrase(choice[0]);
  wish.labels[kind.name] = choice[0];
  for (const pair of implies) {
    if (pair[1] === kind.name && impliedBy(pair) !== choice[0]) delete wish.labels[pair[0]];
  }
  dropImplied();
  keep();
};

const addPhrase = (phrase) => {
  if (wish.phrases.some((one) => key(one) === key(phrase))) return show();
  if (wish.phrases.length >= most) {
    note.textContent = `At most ${most} phrases: take one away first.`;
    return show();
  }
  wish.phrases.push(phrase);
  keep();
};

const remove = (chip) => {
  if (chip.kind) delete wish.labels[chip.kind.name];
  else wish.phrases = wish.phrases.filter((one) => one !== chip.phrase);
  note.textContent = "";
  keep();
};

const exact = (text) =>
  choices.find((one) => key(one[2]) === key(text) || key(one[0]) === key(text));

/** Take words that were typed: names that are known, and phrases where the model takes text. */
const takeWords = (text) => {
  const whole = exact(text);
  if (whole) return add(whole);
  for (const words of text.split(splitter)) {
    const phrase = words.trim().replace(/\s+/gu, " ");
    const known = phrase && exact(phrase);
    if (known) add(known);
    else if (phrase) addPhrase(phrase);
  }
};

const chips = () => {
  const phrases = wish.phrases.map((phrase) => {
    const choice = choices.find((one) => kindOf.get(one).isMenu && key(one[0]) === key(phrase));
    return { phrase, choice, name: choice?.[2] ?? phrase };
  });
  const labels = kinds
    .filter((kind) => wish.labels[kind.name])
    .map((kind) => {
      const choice = kind.choices.find((one) => one[0] === wish.labels[kind.name]);
      return { kind, choice, name: wish.labels[kind.name] };
    });
  return [...phrases, ...labels];
};


const thumb = (choice) => {
  if (!choice) return "";
  const [symbol, picture] = [choice[1], choice[4]];
  if (!picture) return symbol;
  const image = document.createElement("img");
  image.src = picture;
  image.alt = "";
  return image;
};

const make = (tag, properties, ...content) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content.filter(Boolean));
  return made;
};

const show = () => {
  const all = chips();
  part("chips").replaceChildren(
    ...all.map((chip) => {
      const cross = make("span", { className: "cross", textContent: "×" });
      const made = make("button", { type: "button", className: "chip" });
      made.append(thumb(chip.choice), make("span", { textContent: chip.name }), cross);
      made.title = `Remove ${chip.name}`;
      made.setAttribute("aria-label", made.title);
      made.addEventListener("click", () => {
        remove(chip);
        box.focus();
      });
      return made;
    }),
  );
  box.placeholder = all.length ? "" : hint;
  markTiles();
};

const mark = (place) => {
  active = place;
  [...list.children].forEach((item, index) => {
    item.setAttribute("aria-selected", String(index === place));
    if (index === place) item.scrollIntoView({ block: "nearest" });
  });
  if (place < 0) box.removeAttribute("aria-activedescendant");
  else box.setAttribute("aria-activedescendant", `wish-${place}`);
};

const option = (one, index) => {
  const item = make("li", { id: `wish-${index}` });
  item.setAttribute("role", "option");
  if (one.words) {
    item.append(make("span", { textContent: `“${one.words}”` }), make("small", { textContent: most ? "as it is" : "" }));
    return item;
  }
  const tags = one[3].slice(0, 4).join(", ");
  item.append(
    make("span", { className: "thumb" }, thumb(one)),
    make("span", { textContent: one[2] }),
    make("small", { textContent: tags ? `${kindOf.get(one).name}: ${tags}` : kindOf.get(one).name }),
  );
  return item;
};

const fill = () => {
  const text = box.value.trim();
  if (!text) return close();
  const { fits, choices: best } = window.varStudio.search(choices, text);
  const words = most && !exact(text) ? [{ words: text }] : [];
  const offered = best.slice(0, SHOWN);
  found = { fits, choices: fits ? [...offered, ...words] : [...words, ...offered] };
  list.replaceChildren(...found.choices.map(option));
  mark(fits || most ? 0 : -1);
  list.hidden = !found.choices.length;
  box.setAttribute("aria-expanded", String(!list.hidden));
  const nothing = `Nothing here is called “${text}”.`;
  if (fits || most) note.textContent = "";
  else note.textContent = best.length ? `${nothing} The nearest:` : nothing;
};

const close = () => {
  list.hidden = true;
  box.setAttribute("aria-expanded", "false");
  mark(-1);
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
  if (!text) return;
  const { fits, choices: best } = window.varStudio.search(choices, text);
  if (most || fits) {
    box.value = "";
    return most ? takeWords(text) : add(best[0]);
  }
  const nearest = best.map((one) => `${one[1]} ${one[2]}`.trim()).join(", ");
  note.textContent = `Nothing here is called “${text}”; it is left out. The nearest: ${nearest}`;
};


box.addEventListener("input", () => {
  if (most && /[,;\n，；、،]/u.test(box.value)) {
    const done = box.value.split(/[,;\n，；、،]/u);
    box.value = done.pop().trimStart();
    done.filter((one) => one.trim()).forEach(takeWords);
  }
  fill();
});
box.addEventListener("focus", fill);
box.addEventListener("blur", leave);
box.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && !list.hidden) {
    event.preventDefault();
    mark(Math.min(Math.max(active + step, 0), found.choices.length - 1));
  } else if (event.key === "Enter" && box.value.trim()) {
    event.preventDefault();
    if (!list.hidden && active >= 0) take(found.choices[active]);
  } else if (event.key === "Escape" && !list.hidden) {
    event.stopPropagation(); // it closes the list, and stops no drawing
    note.textContent = "";
    close();
  } else if (event.key === "Backspace" && !box.value) {
    const last = chips().at(-1);
    if (last) remove(last);
  }
});
list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps its focus
list.addEventListener("click", (event) => {
  const item = event.target.closest("[role=option]");
  if (item) take(found.choices[[...list.children].indexOf(item)]);
});
part("field").addEventListener("click", (event) => {
  if (event.target === part("field") || event.target === part("chips")) box.focus();
});

const anyOf = (all) => all[Math.floor(Math.random() * all.length)];
part("dice").addEventListener("click", () => {
  wish = { labels: {}, phrases: [] };
  note.textContent = "";
  const implied = new Set(implies.map((pair) => pair[1]));
  kinds
    .filter((kind) => !implied.has(kind.name))
    .forEach((kind, place) => {
      if (place === 0 || Math.random() < 0.5) add(anyOf(kind.choices));
    });
});

// --- the panel of all names, by group ---

const panel = element.querySelector(".panel");
const isAsked = (choice) => {
  const kind = kindOf.get(choice);
  if (kind.isMenu) return wish.phrases.some((one) => key(one) === key(choice[0]));
  return wish.labels[kind.name] === choice[0];
};

const tile = (choice) => {
  const hasPicture = Boolean(choice[1] || choice[4]);
  const made = make("button", { type: "button", className: "tile", title: choice[2] });
  made.append(make("span", { className: "thumb" }, thumb(choice)));
  made.append(make("span", { className: "name", textContent: choice[2] }));
  made.classList.toggle("bare", !hasPicture);
  made.addEventListener("click", () => {
    if (!isAsked(choice)) return add(choice);
    const chip = chips().find((one) => one.choice === choice);
    if (chip) remove(chip);
  });
  made.choice = choice;
  return made;
};

const markTiles = () => {
  panel.querySelectorAll(".tile").forEach((one) => {
    one.setAttribute("aria-pressed", String(isAsked(one.choice)));
  });
};

/** Choices under their headings: [heading, choices]. */
const groupsOf = (kind) => {
  const groups = new Map();
  kind.choices.forEach((choice, place) => {
    const name = kind.groups?.[place] ?? "";
    groups.set(name, [...(groups.get(name) ?? []), choice]);
  });
  return groups;
};

const section = (kind) => {
  const groups = groupsOf(kind);
  const made = make("section", {}, make("h3", { textContent: kind.name }));
  const tiles = make("div", { className: "tiles-of" });
  const fillTiles = (name) => {
    tiles.replaceChildren(...groups.get(name).map(tile));
    markTiles();
  };
  if (groups.size > 1) {
    const menu = make("select", {}, ...[...groups.keys()].map((name) => new Option(name, name)));
    menu.setAttribute("aria-label", `Group of ${kind.name}`);
    menu.addEventListener("change", () => fillTiles(menu.value));
    made.append(menu);
  }
  made.append(tiles);
  fillTiles([...groups.keys()][0]);
  return made;
};

part("open").addEventListener("click", () => {
  panel.hidden = !panel.hidden;
  part("open").setAttribute("aria-expanded", String(!panel.hidden));
  if (panel.hidden || panel.children.length) return;
  const coarser = new Set(implies.map((pair) => pair[1]));
  panel.append(...kinds.filter((kind) => !coarser.has(kind.name)).map(section));
  markTiles();
});

const read = () => {
  try {
    const value = JSON.parse(props.value);
    wish = { labels: { ...value.labels }, phrases: [...value.phrases] };
  } catch {
    wish = { labels: {}, phrases: [] };
  }
  dropImplied();
  show();
};
watch("value", read);
read();
