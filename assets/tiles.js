// the tiles of a drawing, one a picture, each with a menu of what can be done with it

/**
 * A tile for each picture; `act(what, place)` does what a person asks, where it `can`. What `draws`
 * waits until the drawing before has ended.
 */
const makeTiles = (root, menu, act, can, draws = () => false) => {
  const ACTIONS = [
    ["open", "Open at full size"],
    ["draw", "Open in Draw"],
    ["save", "Save PNG"],
    ["again", "Redraw with a new seed"],
    ["vary", "Vary: keep its coarse half"],
    ["move", "Animate"],
    ["edit", "Edit"],
    ["look", "Look inside"],
    ["copy", "Copy link"],
  ];
  let owner = null; // the button whose menu is open

  const items = () => [...menu.querySelectorAll("[role=menuitem]:not(:disabled)")];
  const close = () => menu.matches(":popover-open") && menu.hidePopover();

  const open = (button, place) => {
    owner = button;
    menu.setAttribute("aria-label", button.getAttribute("aria-label"));
    menu.replaceChildren(
      ...ACTIONS.filter(([what]) => can(what, place) !== null).map(([what, words]) => {
        const item = document.createElement("button");
        item.type = "button";
        item.setAttribute("role", "menuitem");
        item.tabIndex = -1;
        item.textContent = words;
        item.disabled = !can(what, place);
        item.dataset.menu = what;
        if (draws(what, place)) item.dataset.draws = `${what}-${place}`;
        item.addEventListener("click", () => {
          close();
          act(what, place);
        });
        return item;
      }),
    );
    menu.showPopover();
    const at = button.getBoundingClientRect();
    const size = menu.getBoundingClientRect();
    const below = at.bottom + size.height < innerHeight;
    menu.style.left = `${Math.max(8, Math.min(at.right - size.width, innerWidth - size.width - 8))}px`;
    menu.style.top = `${Math.max(8, below ? at.bottom : at.top - size.height)}px`;
    items()[0]?.focus();
  };

  menu.addEventListener("keydown", (event) => {
    const all = items();
    const here = all.indexOf(document.activeElement);
    const places = {
      ArrowDown: (here + 1) % all.length,
      ArrowUp: (here + all.length - 1) % all.length,
      Home: 0,
      End: all.length - 1,
    };
    if (event.key === "Escape" || event.key === "Tab") {
      event.stopPropagation(); // it closes the menu, and stops no drawing
      close();
      owner?.focus();
    } else if (event.key in places) {
      all[places[event.key]]?.focus();
    } else {
      return;
    }
    event.preventDefault();
  });

  const tile = (place, caption) => {
    const figure = document.createElement("figure");
    const pick = document.createElement("button");
    pick.type = "button";
    pick.className = "pick";
    pick.dataset.look = String(place);
    const image = document.createElement("img");
    image.decoding = "sync";
    image.hidden = true;
    pick.append(image);
    pick.addEventListener("click", () => act("press", place));
    pick.addEventListener("dblclick", () => act("open", place));
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    more.dataset.more = String(place);
    more.setAttribute("aria-haspopup", "menu");
    more.textContent = "⋯";
    more.addEventListener("click", () => open(more, place));
    const words = document.createElement("figcaption");
    words.textContent = caption;
    figure.append(pick, more, words);
    figure.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      open(more, place);
    });
    return figure;
  };

  // arrow keys go from tile to tile
  root.addEventListener("keydown", (event) => {
    const across = Number(root.dataset.columns ?? 0);
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across };
    const all = [...root.querySelectorAll("figure")];
    const next = steps[event.key] && all[all.indexOf(event.target.closest("figure")) + steps[event.key]];
    if (!next) return;
    event.preventDefault();
    next.querySelector(".pick").focus();
    act("select", Number(next.querySelector(".pick").dataset.look));
  });

  return {
    /** Empty tiles; none for a single picture. */
    build(captions) {
      close();
      root.hidden = captions.length < 2;
      root.dataset.count = String(captions.length);
      root.replaceChildren(...(root.hidden ? [] : captions.map((one, place) => tile(place, one))));
    },
    /** Show pictures in the tiles. */
    show(urls, names, selected, isBusy) {
      root.querySelectorAll("figure").forEach((figure, place) => {
        const [pick, more] = figure.querySelectorAll("button");
        const image = pick.firstChild;
        image.hidden = !urls[place];
        if (urls[place] && image.getAttribute("src") !== urls[place]) image.src = urls[place];
        image.alt = names[place];
        pick.title = `Look at ${names[place]}`;
        pick.setAttribute("aria-pressed", String(place === selected));
        more.setAttribute("aria-label", `Actions for ${names[place]}`);
        figure.lastChild.textContent = names[place];
        figure.setAttribute("aria-busy", String(isBusy));
      });
    },
  };
};

/** Pictures at full size: `tell()` returns their `names`, the `url` of each, and what to do `on` a turn. */
const makeLightbox = (dialog, tell) => {
  const at = (name) => dialog.querySelector(`[data-part=${name}]`);
  let place = 0;
  const show = () => {
    const { names, url } = tell();
    at("full").src = url(place);
    at("full").alt = names[place];
    at("full-words").textContent = names[place];
    dialog.querySelectorAll("[data-step]").forEach((button) => {
      button.hidden = names.length < 2;
      button.disabled = names[place + Number(button.dataset.step)] === undefined;
    });
  };
  const turn = (step) => {
    if (!step || tell().names[place + step] === undefined) return;
    place += step;
    tell().on?.(place);
    show();
  };
  dialog.addEventListener("keydown", (event) => {
    turn({ ArrowLeft: -1, ArrowRight: 1 }[event.key]);
    if (event.key === "Escape") event.stopPropagation(); // it closes the picture, and stops nothing
  });
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
    turn(Number(target.dataset.step));
  });
  return (first) => {
    place = first;
    show();
    dialog.showModal();
  };
};
window.varStudio = { ...window.varStudio, makeTiles, makeLightbox };
