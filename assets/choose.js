// The panel that shows all that can be asked for as tiles; a large kind is shown group by group.

/** The name of a group, which is a word, or a choice such as a category. */
const nameOf = (group) => (typeof group === "string" ? group || "other" : group[2]);

/** Tiles of all kinds; `toggle` asks for a choice or takes it back, `add` asks for it. */
const makeChooser = (panel, { kinds, groupOf, make, thumb, toggle, add, isAsked }) => {
  const tile = (words, name, picture, press) => {
    const made = make("button", { type: "button", className: "tile", title: name }, picture, words);
    made.addEventListener("click", press);
    return made;
  };
  const tileOf = (choice, name = choice[2]) => {
    const words = make("span", { textContent: name, dir: "auto" });
    const made = tile(words, name, thumb(choice), () => toggle(choice));
    made.choice = choice;
    return made;
  };
  const mark = () => {
    for (const one of panel.querySelectorAll(".tile")) {
      if (one.choice) one.setAttribute("aria-pressed", String(isAsked(one.choice)));
    }
  };

  const section = (kind) => {
    const groups = [...Map.groupBy(kind.choices, groupOf)];
    const tiles = make("div", { className: "tiles-of" });
    const menu = make("select", {}, new Option("all groups", ""));
    menu.append(...groups.map(([group]) => new Option(nameOf(group), nameOf(group))));
    menu.setAttribute("aria-label", `Group of ${kind.name}`);
    const dice = make("button", { type: "button", className: "action", textContent: "🎲" });
    dice.title = `Random ${kind.name}`;
    dice.setAttribute("aria-label", dice.title);
    let here = kind.choices;

    /** Show one group, or all groups. */
    const open = (name) => {
      const [group, members] = groups.find(([one]) => nameOf(one) === name) ?? ["", kind.choices];
      here = members;
      menu.value = name;
      const isOverview = groups.length > 1 && !name;
      const first = Array.isArray(group) ? [tileOf(group, `any ${name}`)] : [];
      const shown = isOverview
        ? groups.map(tileOfGroup)
        : [...first, ...here.map((choice) => tileOf(choice))];
      tiles.replaceChildren(...shown);
      tiles.scrollTop = 0;
      mark();
    };
    const tileOfGroup = ([group, [face]]) => {
      const name = nameOf(group);
      return tile(make("span", { textContent: name }), name, thumb(face), () => {
        open(name);
        menu.focus();
      });
    };
    menu.addEventListener("change", () => open(menu.value));
    dice.addEventListener("click", () => add(here[Math.floor(Math.random() * here.length)]));

    const head = make("div", { className: "head" }, make("h3", { textContent: kind.name }));
    if (groups.length > 1) head.append(menu);
    head.append(dice);
    panel.append(make("section", {}, head, tiles));
    /** Show the group of what is asked for. */
    return () => {
      const found = groups.find(([one, members]) => isAsked(one) || members.some(isAsked));
      if (found || !tiles.children.length) open(found && groups.length > 1 ? nameOf(found[0]) : "");
    };
  };

  let sections = null;
  return {
    mark,
    open() {
      sections ??= kinds.map(section);
      for (const follow of sections) follow();
    },
  };
};
window.varStudio = { ...window.varStudio, makeChooser };
