// The inside of a picture: one scale at a time, its tokens as cells over the picture.
const at = (name) => element.querySelector(`[data-part=${name}]`);
const STOPS = [
  [21, 34, 84],
  [44, 86, 140],
  [110, 131, 141],
  [214, 176, 82],
  [255, 241, 176],
]; // of rising lightness, so that they can be told apart without colours
const WAIT = 250; // milliseconds on a token before its alternatives are fetched
const VIEWS = {
  entropy: ["Uncertainty", "How uncertain the model was at each place before it chose (entropy)."],
  surprise: ["Surprise", "How unlikely the token is that stands there: high where the model did not expect it."],
  tokens: ["Tokens", "Like colours are like codes of the codebook."],
  error: ["Error", "What this scale still lacks, four times enlarged: black is equal."],
  picture: ["Picture", "The picture after this scale."],
};
let seen = null;
let scale = 0;
let place = 0;
let view = "entropy";
let choice = 0;
let patches = null;
const fetched = new Map(); // patches of places of this picture
let turn = 0; // number of this picture
let timer = 0;

const make = (tag, props = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
};
const colour = (share) => {
  const spot = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const low = Math.min(Math.floor(spot), STOPS.length - 2);
  const mixed = STOPS[low].map((from, i) => from + (STOPS[low + 1][i] - from) * (spot - low));
  return mixed.map(Math.round);
};
const rgb = (parts) => `rgb(${parts.join(",")})`;
const percent = (share) => {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
};
const surprise = (chance) => -Math.log2(Math.max(chance, 1e-5));
const here = () => seen.scales[scale];
const top = () => Math.max(1, Math.ceil(Math.max(...seen.scales.flatMap((one) => one.entropy))));
const openest = (index) => {
  const { entropy } = seen.scales[index];
  return entropy.indexOf(Math.max(...entropy));
};
const where = (index = place) => [Math.floor(index / here().columns), index % here().columns];
const cellsOf = (one, kind) => {
  if (kind === "tokens") return one.colours.map(rgb);
  const values = kind === "entropy" ? one.entropy : one.likely.map(surprise);
  return values.map((value) => rgb(colour(value / top())));
};

const mini = (one, kind) => {
  const canvas = make("canvas", { width: one.columns, height: one.rows });
  canvas.setAttribute("aria-hidden", "true");
  const pen = canvas.getContext("2d");
  cellsOf(one, kind).forEach((fill, index) => {
    pen.fillStyle = fill;
    pen.fillRect(index % one.columns, Math.floor(index / one.columns), 1, 1);
  });
  return canvas;
};
const showScales = () => {
  const columns = seen.scales.map((one, index) => {
    const mean = one.entropy.reduce((sum, value) => sum + value, 0) / one.entropy.length;
    const words = make("span", {}, `${one.columns}×${one.rows}`, make("small", {}, mean.toFixed(1), make("span", { className: "unit" }, " bits")));
    const picture = make("img", { src: one.picture, alt: "" });
    const button = make("button", { type: "button" }, picture, mini(one, "tokens"), mini(one, "entropy"), words);
    button.dataset.scale = String(index + 1);
    const size = `${one.bits} bits so far, ${one.psnr} dB`;
    button.setAttribute("aria-label", `Scale ${index + 1}: ${one.columns} by ${one.rows} tokens, ${mean.toFixed(1)} bits of uncertainty on average, ${size}`);
    button.title = button.getAttribute("aria-label");
    button.addEventListener("click", () => choose(index, openest(index)));
    return button;
  });
  at("scales").replaceChildren(...columns);
};

const label = (index) => {
  const { codes, likely, entropy } = here();
  const [row, column] = where(index);
  return `Row ${row + 1}, column ${column + 1}: code ${codes[index]}, ${percent(likely[index])} likely, ${entropy[index].toFixed(1)} bits of uncertainty`;
};
const showCells = () => {
  const { rows, columns: width } = here();
  const lines = [...Array(rows).keys()].map((row) => {
    const cells = [...Array(width).keys()].map((column) => {
      const cell = make("div", { tabIndex: -1, title: label(row * width + column) });
      cell.dataset.place = String(row * width + column);
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-label", cell.title);
      return cell;
    });
    const line = make("div", {}, ...cells);
    line.setAttribute("role", "row");
    return line;
  });
  at("cells").style.setProperty("--rows", String(rows));
  at("cells").style.setProperty("--columns", String(width));
  at("cells").replaceChildren(...lines);
};
const showView = () => {
  const one = here();
  const isPlain = choice > 0 || view === "picture" || view === "error";
  const fills = isPlain ? [] : cellsOf(one, view);
  at("frame").dataset.view = choice > 0 ? "picture" : view;
  at("picture").src = choice > 0 ? patches.pictures[choice] : one.picture;
  at("picture").alt = `The picture after scale ${scale + 1}${choice > 0 ? ", with another token" : ""}`;
  at("source").src = seen.source;
  at("source").hidden = view !== "error" || choice > 0;
  element.querySelectorAll("[data-place]").forEach((cell, index) => {
    cell.style.background = fills[index] ?? "none";
    cell.setAttribute("aria-selected", String(index === place));
    cell.tabIndex = index === place ? 0 : -1;
  });
  at("legend").hidden = isPlain || view === "tokens";
  at("low").textContent = view === "entropy" ? "0 bits: sure" : "0 bits: expected";
  at("high").textContent = `${top()} bits: one of ${(2 ** top()).toLocaleString("en")}`;
  at("words").textContent = choice > 0 ? "The whole picture with the chosen token; all others stay." : VIEWS[view][1];
  element.querySelectorAll("[data-view-name]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.viewName === view));
  });
  element.querySelectorAll("[data-scale]").forEach((button, index) => {
    button.setAttribute("aria-pressed", String(index === scale));
  });
};

const showChoices = () => {
  const one = here();
  const codes = [one.codes[place], ...one.others[place]];
  const chances = [one.likely[place], ...one.chances[place]];
  const most = Math.max(...chances);
  const had = at("choices").contains(document.activeElement);
  const buttons = codes.map((code, index) => {
    const picture = patches ? make("img", { src: patches.patches[index], alt: "" }) : make("span", { className: "blank" });
    const bar = make("i");
    bar.style.width = `${(100 * chances[index]) / most}%`;
    const words = make("span", {}, percent(chances[index]), make("small", {}, index ? `code ${code}` : "is there"));
    const button = make("button", { type: "button", disabled: !patches }, picture, words, bar);
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(index === choice));
    button.setAttribute("aria-label", `${index ? `Code ${code}` : `Code ${code}, which is there`}, ${percent(chances[index])}`);
    button.tabIndex = index === choice ? 0 : -1;
    button.dataset.choice = String(index);
    return button;
  });
  at("choices").replaceChildren(...buttons);
  if (had) buttons[choice].focus();
};
const showToken = () => {
  const one = here();
  const [row, column] = where();
  const alike = Math.round(2 ** one.entropy[place]);
  const open = alike < 2 ? "It was nearly sure" : `It was as uncertain as between ${alike.toLocaleString("en")} equal codes`;
  const isLast = scale + 1 === seen.total;
  at("title").textContent = `Scale ${scale + 1} of ${seen.total}, row ${row + 1}, column ${column + 1}`;
  at("token").textContent = `The model gave the token that is there ${percent(one.likely[place])}. ${open} (${one.entropy[place].toFixed(1)} bits).`;
  at("draw").textContent = choice > 0 ? "Redraw from here with this token" : `Redraw from scale ${scale + 1}`;
  at("draw").disabled = isLast;
  at("hint").textContent = isLast
    ? "Nothing finer is left to draw: choose a place on an earlier scale to redraw from."
    : "Keeps the scales up to this one and draws the finer ones anew.";
  showChoices();
};

const bar = (name, share, even) => {
  const fill = make("i");
  fill.style.width = `${100 * share}%`;
  const mark = make("b");
  mark.style.left = `${100 * even}%`;
  const line = make("div", {}, make("span", {}, name), make("div", {}, fill, mark), make("span", {}, percent(share)));
  line.title = `${name}: ${percent(share)}; ${percent(even)} if it looked everywhere alike`;
  return line;
};
const total = (values, one) => one.at.reduce((sum, index) => sum + values[index], 0);
const columns = () => {
  const sizes = [...Array(seen.phrases).fill(1), ...seen.scales.map((one) => one.rows * one.columns)];
  const found = [];
  seen.names.forEach((name, index) => {
    const known = found.find((one) => one.name === name && name === "no phrase");
    if (known) known.at.push(index);
    else found.push({ name, at: [index] });
  });
  return found.map((one) =>
    Object.assign(one, {
      scale: one.at[0] - seen.phrases,
      share: (row) => total(seen.attention[row], one),
      size: total(sizes, one),
    }),
  );
};
const showLooks = () => {
  const visible = columns().filter((one) => one.scale <= scale);
  const all = visible.reduce((sum, one) => sum + one.size, 0);
  const name = (one) => {
    if (one.scale === 0) return "start: what was asked";
    return one.scale === scale ? `${one.name}: itself` : one.name;
  };
  at("looks").textContent = `Where scale ${scale + 1} looked`;
  at("bars").replaceChildren(...visible.map((one) => bar(name(one), one.share(scale), one.size / all)));
  element.querySelectorAll(".matrix tbody tr").forEach((row, index) => {
    row.classList.toggle("here", index === scale);
  });
};
const short = (one) => (one.scale < 1 ? one.name : `${one.scale + 1}`);
const showMatrix = () => {
  const head = columns().map((one) => make("th", { scope: "col", title: one.name }, make("span", {}, short(one))));
  const rows = seen.scales.map((_, row) => {
    const cells = columns().map((one) => {
      const cell = make("td");
      if (one.scale > row) return cell;
      const share = one.share(row);
      const fill = colour(share);
      cell.style.background = rgb(fill);
      cell.style.color = fill[1] > 120 ? "#000" : "#fff";
      cell.title = `Scale ${row + 1} looks at ${one.name}: ${percent(share)}`;
      cell.append(String(Math.round(100 * share)));
      return cell;
    });
    return make("tr", {}, make("th", { scope: "row" }, `scale ${row + 1}`), ...cells);
  });
  at("matrix").replaceChildren(
    make("caption", {}, "How much each scale looks at what, in percent"),
    make("thead", {}, make("tr", {}, make("td"), ...head)),
    make("tbody", {}, ...rows),
  );
};

const fetchPatches = () => {
  clearTimeout(timer);
  const [row, column] = where();
  trigger("ask", { scale: scale + 1, row, column, turn });
};
const patchesHere = () => fetched.get([scale + 1, ...where()].join()) ?? null;
const choose = (number, index) => {
  const isNew = number !== scale;
  [scale, place, choice] = [number, index, 0];
  patches = patchesHere();
  if (isNew) {
    showCells();
    showLooks();
  }
  showView();
  showToken();
  clearTimeout(timer);
  if (!patches) timer = setTimeout(fetchPatches, WAIT);
};
const pick = (index) => {
  choice = index;
  showView();
  showToken();
};
const moved = (key) => {
  const { rows, columns: width } = here();
  const [row, column] = where();
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -column], End: [0, width - 1 - column] };
  if (!steps[key]) return null;
  const to = [row + steps[key][0], column + steps[key][1]];
  return to[0] >= 0 && to[0] < rows && to[1] >= 0 && to[1] < width ? to[0] * width + to[1] : place;
};

at("cells").addEventListener("click", (event) => {
  const cell = event.target.closest("[data-place]");
  if (!cell) return;
  choose(scale, Number(cell.dataset.place));
  cell.focus();
});
at("cells").addEventListener("keydown", (event) => {
  const to = moved(event.key);
  if (to === null) return;
  event.preventDefault();
  choose(scale, to);
  element.querySelector(`[data-place="${to}"]`).focus();
});
at("choices").addEventListener("click", (event) => {
  const button = event.target.closest("[data-choice]");
  if (button && patches) pick(Number(button.dataset.choice));
});
at("choices").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !patches) return;
  event.preventDefault();
  const count = patches.codes.length;
  pick((choice + step + count) % count);
});
at("draw").addEventListener("click", () => {
  const [row, column] = where();
  const token = [here().codes[place], ...here().others[place]][choice];
  trigger("draw_on", { scale: scale + 1, row, column, token });
  document.querySelector("#tabs").scrollIntoView();
});
const views = Object.entries(VIEWS).map(([name, [words, title]]) => {
  const button = make("button", { type: "button", title }, words);
  button.dataset.viewName = name;
  button.addEventListener("click", () => {
    [view, choice] = [name, 0];
    showView();
    showToken();
  });
  return button;
});
at("views").replaceChildren(...views);

// a picture dropped here, or pasted while the tab is in view, is looked into
const open = (files) => {
  const image = [...files].find((file) => file.type.startsWith("image/"));
  const input = document.querySelector("#inside-row input[type=file]");
  if (!image || !input) return;
  const chosen = new DataTransfer();
  chosen.items.add(image);
  input.files = chosen.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
};
const isInView = () => document.querySelector("#inside-row")?.offsetParent;
document.addEventListener("paste", (event) => {
  if (isInView()) open(window.varStudio.pasted(event));
});
document.addEventListener("dragover", (event) => {
  if (isInView()) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!isInView() || !event.dataTransfer.files.length) return;
  event.preventDefault();
  open(event.dataTransfer.files);
});

const load = () => {
  clearTimeout(timer);
  fetched.clear();
  turn += 1;
  seen = props.value ? JSON.parse(props.value) : null;
  element.querySelector(".inside").hidden = !seen;
  if (!seen) return;
  scale = -1;
  showScales();
  showMatrix();
  const middle = Math.floor(seen.scales.length / 2);
  choose(middle, openest(middle));
};
watch("value", load);
watch("patches", () => {
  if (!props.patches || !seen) return;
  const found = JSON.parse(props.patches);
  if (found.turn !== turn) return; // of the picture before
  fetched.set([found.scale, found.row, found.column].join(), found);
  if (patches || !patchesHere()) return;
  patches = patchesHere();
  showChoices();
});
load();
