// A list that is searched by typing. PICKER: JSON of its label and its choices, "any" first.
const { label, choices } = JSON.parse(PICKER);
const SHOWN = 60; // choices at a time; more come when the list is scrolled
const box = element.querySelector("input");
const list = element.querySelector("ul");
const note = element.querySelector(".note");
const words = ([, symbol, name]) => (symbol ? `${symbol} ${name}` : name);
const chosen = () => choices.find((one) => one[0] === (props.value ?? "")) ?? choices[0];

let found = { fits: true, choices };
let active = -1;
let typed = false;

const name = element.closest("[id]")?.id ?? label;
element.querySelector("label").textContent = label;
element.querySelector("label").htmlFor = `${name}-box`;
box.id = `${name}-box`;
list.id = `${name}-list`;
list.setAttribute("aria-label", label);
box.setAttribute("aria-controls", list.id);

const show = () => {
  box.value = words(chosen());
  typed = false;
};

const mark = (place) => {
  active = place;
  [...list.querySelectorAll("[role=option]")].forEach((item, index) => {
    item.setAttribute("aria-selected", String(index === place));
    if (index === place) item.scrollIntoView({ block: "nearest" });
  });
  if (place < 0) box.removeAttribute("aria-activedescendant");
  else box.setAttribute("aria-activedescendant", `${name}-${place}`);
};

const option = (choice, index) => {
  const item = document.createElement("li");
  item.setAttribute("role", "option");
  item.id = `${name}-${index}`;
  item.dataset.index = String(index);
  item.append(words(choice));
  if (choice[3].length) {
    const tags = document.createElement("small");
    tags.textContent = ` (${choice[3].join(", ")})`;
    item.append(tags);
  }
  return item;
};

const more = () => {
  const begin = list.querySelectorAll("[role=option]").length;
  const next = found.choices.slice(begin, begin + SHOWN);
  list.append(...next.map((choice, index) => option(choice, begin + index)));
};

const fill = () => {
  found = window.varStudio.search(choices, typed ? box.value : "");
  list.replaceChildren();
  more();
  mark(found.fits && typed ? 0 : -1);
  const nothing = `Nothing here is called “${box.value.trim()}”.`;
  if (found.fits) note.textContent = "";
  else note.textContent = found.choices.length ? `${nothing} The nearest:` : nothing;
};

const close = () => {
  list.hidden = true;
  box.setAttribute("aria-expanded", "false");
  mark(-1);
};
const open = () => {
  if (!list.hidden) return;
  list.hidden = false;
  box.setAttribute("aria-expanded", "true");
  fill();
  if (!typed) mark(found.choices.indexOf(chosen()));
};

const choose = (choice) => {
  const before = props.value ?? "";
  note.textContent = "";
  props.value = choice[0];
  show();
  close();
  if (before !== choice[0]) trigger("input");
};

// what was typed and not picked: the best that fits, or a word about it and nothing else changes
const leave = () => {
  if (!typed) return close();
  const text = box.value.trim();
  const { fits, choices: best } = window.varStudio.search(choices, text);
  if (!text) return choose(choices[0]);
  if (fits) return choose(best[0]);
  show();
  close();
  const nearest = best.map((one) => words(one)).join(", ");
  const still = `Nothing here is called “${text}”; it is still ${words(chosen())}.`;
  note.textContent = nearest ? `${still} The nearest: ${nearest}` : still;
};

box.addEventListener("focus", open);
box.addEventListener("click", () => {
  open();
  if (!typed) box.select(); // typing replaces what is there
});
box.addEventListener("blur", leave);
box.addEventListener("input", () => {
  typed = true;
  open();
  fill();
});
box.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    open();
    if (active + step >= list.querySelectorAll("[role=option]").length) more();
    mark(Math.min(Math.max(active + step, 0), found.choices.length - 1));
  } else if (event.key === "Enter" && !list.hidden) {
    event.preventDefault();
    if (active >= 0) choose(found.choices[active]);
  } else if (event.key === "Escape" && !list.hidden) {
    event.stopPropagation(); // it closes the list, and stops no drawing
    note.textContent = "";
    show();
    close();
  }
});
list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps its focus
list.addEventListener("click", (event) => {
  const item = event.target.closest("[role=option]");
  if (item) choose(found.choices[Number(item.dataset.index)]);
});
list.addEventListener("scroll", () => {
  if (list.scrollTop + list.clientHeight > list.scrollHeight - 80) more();
});

watch("value", () => {
  if (document.activeElement !== box || !typed) show();
});
show();
