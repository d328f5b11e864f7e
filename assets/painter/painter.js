// The canvas of an edit: picture, mask, the result as it forms, and the versions so far.
import { Mask } from "./mask.js";
import { View } from "./view.js";
import { cleanPen, drawLasso, drawTokens, tokensUnder } from "./overlay.js";
import { Sides } from "./sides.js";

const HISTORY = 60; // strokes to undo
const PAINT = [225, 29, 72, 140];
const ROOMY = 0.62; // of the board, for picture and new sides while they are dragged
const TOOLS = { b: "brush", e: "eraser", r: "rectangle", l: "lasso" };
const at = (name) => element.querySelector(`[data-part=${name}]`);
const [board, sheet, veil, lines, size] = ["board", "sheet", "mask", "grid", "size"].map(at);
const [picture, forming, before] = ["picture", "forming", "before"].map(at);
const view = new View();

let scene = null; // what the server shows: the picture and its versions
let seen = "";
let mask = new Mask(0, 0);
let sent = null; // the mask of the edit that is running
let done = [];
let undone = [];
let told = "";
let tool = "brush";
let stroke = null; // what is being painted
let tokens = { window: null, tokens: [] };
let isDirty = true;
let frame = 0;

const room = () => ({ width: board.clientWidth, height: board.clientHeight });
const isBusy = () => Boolean(sent);
const isPressed = (name) => at(name).getAttribute("aria-pressed") === "true";
const press = (name, value) => at(name).setAttribute("aria-pressed", String(value));
const edge = () => (board.clientWidth < 480 ? 0.93 : 0.96); // the rest is for the handles

/** Let a button outside be pressed, or not. */
const enable = (name, can) => {
  const button = document.querySelector(`#${name}`);
  if (button) button.disabled = !can;
};

const render = () => {
  frame = 0;
  const { style } = sheet;
  style.left = `${view.left}px`;
  style.top = `${view.top}px`;
  style.width = `${mask.width * view.scale}px`;
  style.height = `${mask.height * view.scale}px`;
  sheet.classList.toggle("near", view.scale >= 12);
  if (isDirty && mask.width) {
    isDirty = false;
    [veil.width, veil.height] = [mask.width, mask.height];
    const share = mask.show(veil, PAINT);
    const percent = Math.round(1000 * share) / 10;
    at("coverage").textContent = `${percent} % to redraw`;
    tokens = tokensUnder(mask, scene.model.map((side) => (side * mask.width) / scene.full[0]), scene.cells);
    element.dataset.window = tokens.window ? JSON.stringify(tokens.window) : "";
    element.dataset.cells = String(tokens.tokens.filter((one) => one.share > 0).length);
  }
  const pen = cleanPen(lines, room());
  if (tokens.window && isPressed("show") && !isBusy()) drawTokens(pen, view, tokens);
  if (tool === "lasso" && stroke) drawLasso(pen, view, stroke.points);
  enable("redraw-mask", scene);
  enable("vary", scene);
  enable("load-mask", scene);
  enable("try-again", scene?.again);
  at("undo").disabled = !done.length && (isBusy() || typeof scene?.undo !== "number");
  at("redo").disabled = !undone.length && (isBusy() || typeof scene?.redo !== "number");
  if (scene) sides.show(at("frame"), at("total"), [mask.width, mask.height]);
};
const show = (paints = true) => {
  isDirty = isDirty || paints;
  frame = frame || requestAnimationFrame(render);
};
const showNow = () => {
  isDirty = true;
  cancelAnimationFrame(frame);
  render();
};
const fit = () => {
  if (!scene) return;
  view.fit(room(), [mask.width, mask.height], sides.shown, sides.open ? ROOMY : edge());
  show(false);
};
const sides = new Sides(element, view, (refits) => {
  at("room").hidden = !sides.open;
  at("room").querySelector("#outpaint").disabled = !sides.total;
  element.dataset.room = String(sides.open);
  if (refits) fit();
  else show(false);
});

const tell = () => {
  told = mask.runs();
  if (props.value !== told) props.value = told;
  showNow();
};
const remember = () => {
  done = [...done.slice(1 - HISTORY), mask.copy()];
  undone = [];
};
const change = (edit) => {
  if (!scene) return;
  remember();
  edit(mask);
  tell();
};
const swap = (from, to) => {
  to.push(mask);
  mask = from.pop();
  tell();
};
const go = (number) => {
  if (typeof number === "number" && !isBusy()) trigger("go", { number });
};
const undo = () => (done.length ? swap(done, undone) : go(scene?.undo));
const redo = () => (undone.length ? swap(undone, done) : go(scene?.redo));

/** Stand in the place of the stage. */
const start = () => {
  window.varStudio.openTab("edit");
  requestAnimationFrame(() => element.scrollIntoView({ block: "nearest" }));
};

const version = ({ number, url, words, starts }) => {
  const [item, button, image] = ["li", "button", "img"].map((name) => document.createElement(name));
  Object.assign(image, { src: url, alt: words });
  Object.assign(button, { type: "button", title: words });
  button.dataset.version = String(number);
  if (number === scene.current) button.setAttribute("aria-current", "true");
  if (starts) item.className = "starts";
  button.append(image);
  item.append(button);
  return item;
};

/** What was painted while the edit ran, on a picture to which sides were added meanwhile. */
const moved = (painted, from) => {
  const [width, height] = scene.shown;
  const found = new Mask(width, height);
  const [wide, narrow] = [scene.full[0] / width, from.full[0] / painted.width];
  found.pixels.forEach((_, place) => {
    const x = Math.floor((((place % width) + 0.5) * wide - scene.place[0]) / narrow);
    const y = Math.floor(((Math.floor(place / width) + 0.5) * wide - scene.place[1]) / narrow);
    if (x < 0 || y < 0 || x >= painted.width || y >= painted.height) return;
    found.pixels[place] = painted.pixels[y * painted.width + x];
  });
  return found;
};

const load = () => {
  const from = scene;
  scene = props.scene;
  const [width, height] = scene.shown;
  const isSame = mask.width === width && mask.height === height;
  const isResult = scene.mask === null && from !== null;
  sent = null;
  stroke = null;
  if (!isResult) mask = Mask.fromRuns(scene.mask, width, height);
  else if (!isSame) mask = moved(mask, from);
  if (!isResult || !isSame) [done, undone] = [[], []];
  element.dataset.empty = "false";
  picture.src = scene.picture;
  picture.alt = "The picture to paint on";
  before.src = scene.before || scene.picture;
  at("compare").disabled = !scene.before;
  Object.assign(at("save"), { href: scene.file, download: scene.name });
  at("versions").replaceChildren(...scene.versions.map(version));
  at("versions").querySelector("[aria-current]")?.scrollIntoView?.({ block: "nearest" });
  sides.reset(scene.full, scene.full[0] / width);
  if (!isSame) {
    size.max = String(Math.max(8, Math.round(Math.max(width, height) / 4)));
    size.value = String(Math.max(2, Math.round(Math.max(width, height) / 10)));
  }
  if (!isSame || !isResult) fit();
  window.varStudio.stage?.showVersion(scene, isResult);
  if (scene.opens) start();
  tell();
};

const update = () => {
  const text = JSON.stringify(props.scene ?? null);
  if (text !== seen && props.scene) {
    seen = text;
    load();
  } else if (sent && !props.forming) {
    mask.pixels.forEach((_, place) => (mask.pixels[place] |= sent.pixels[place])); // nothing is lost
    sent = null;
    tell();
  } else if (!sent && props.forming && scene) {
    [sent, mask, done, undone] = [mask, new Mask(mask.width, mask.height), [], []];
    tell();
  }
  element.dataset.busy = String(isBusy());
  if (isBusy() && props.forming.startsWith("data:")) {
    forming.src = props.forming;
    forming.hidden = false;
  } else if (!isBusy()) {
    picture.decode().then(
      () => (forming.hidden = !isBusy()),
      () => (forming.hidden = true),
    );
  }
};

// painting
const place = (event) => {
  const area = board.getBoundingClientRect();
  return [event.clientX - area.left - board.clientLeft, event.clientY - area.top - board.clientTop];
};
const radius = () => Math.max(0.75, Number(size.value) / 2);
const begin = (pixel, erases) => {
  remember();
  stroke = { start: pixel, last: pixel, points: [pixel], value: erases || tool === "eraser" ? 0 : 1 };
  if (tool === "brush" || tool === "eraser") mask.fillDisc(pixel, radius(), stroke.value);
  show();
};
const extend = (pixel) => {
  if (tool === "rectangle") {
    mask = done.at(-1).copy();
    mask.fillBox(stroke.start, pixel, stroke.value);
  } else if (tool === "lasso") {
    stroke.points.push(pixel);
  } else {
    mask.fillLine(stroke.last, pixel, radius(), stroke.value);
  }
  stroke.last = pixel;
  show();
};
const finish = () => {
  if (!stroke) return;
  if (tool === "lasso") mask.fillPolygon(stroke.points, stroke.value);
  stroke = null;
  tell();
};
const forget = () => {
  if (!stroke) return;
  mask = done.pop();
  stroke = null;
  show();
};

const ring = at("ring");
let pointer = null; // where the brush is, on the board
const showRing = (where = pointer) => {
  pointer = where;
  const isBrush = tool === "brush" || tool === "eraser";
  ring.hidden = !where || !scene || !isBrush;
  if (ring.hidden) return;
  const side = 2 * radius() * view.scale;
  Object.assign(ring.style, {
    left: `${where[0]}px`,
    top: `${where[1]}px`,
    width: `${side}px`,
    height: `${side}px`,
  });
};

// fingers and mouse
const fingers = new Map();
let pinch = null;
let panned = null;
let isSpaceDown = false;
const gather = () => {
  const [first, second] = [...fingers.values()];
  const centre = [(first[0] + second[0]) / 2, (first[1] + second[1]) / 2];
  return { centre, span: Math.hypot(first[0] - second[0], first[1] - second[1]) };
};
const pan = (from, to) => {
  view.pan(to[0] - from[0], to[1] - from[1], room(), [mask.width, mask.height]);
  show(false);
};
const zoom = (factor, where = [room().width / 2, room().height / 2]) => {
  if (!scene) return;
  view.zoom(factor, where);
  view.pan(0, 0, room(), [mask.width, mask.height]);
  if (view.isWhole) fit();
  show(false);
};

board.addEventListener("pointerdown", (event) => {
  if (!scene || event.target.closest("button") || event.button > 1) return;
  event.preventDefault();
  board.focus({ preventScroll: true });
  board.setPointerCapture(event.pointerId);
  const here = place(event);
  fingers.set(event.pointerId, here);
  if (fingers.size > 1) {
    forget();
    pinch = gather();
  } else if (isSpaceDown || event.button === 1) {
    panned = here;
  } else {
    begin(view.pixel(here), event.shiftKey);
  }
});
board.addEventListener("pointermove", (event) => {
  const here = place(event);
  if (fingers.has(event.pointerId)) fingers.set(event.pointerId, here);
  if (pinch && fingers.size > 1) {
    const now = gather();
    zoom(now.span / Math.max(1, pinch.span), now.centre);
    pan(pinch.centre, now.centre);
    pinch = now;
  } else if (panned) {
    pan(panned, here);
    panned = here;
  } else if (stroke) {
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const move of moves.length ? moves : [event]) extend(view.pixel(place(move)));
  }
  showRing(event.target.closest("button") || pinch ? null : here);
});
const lift = (event) => {
  fingers.delete(event.pointerId);
  if (fingers.size) return;
  [pinch, panned] = [null, null];
  finish();
  if (event.pointerType !== "mouse") showRing(null);
};
board.addEventListener("pointerup", lift);
board.addEventListener("pointercancel", lift);
board.addEventListener("pointerleave", () => showRing(null));
board.addEventListener(
  "wheel",
  (event) => {
    if (!scene || (view.isWhole && event.deltaY > 0)) return; // then the page is scrolled
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), place(event));
    showRing();
  },
  { passive: false },
);

// buttons and keys
const choose = (name) => {
  tool = name;
  for (const other of Object.values(TOOLS)) press(other, other === name);
};
const step = () => Math.max(1, Math.round(Math.max(mask.width, mask.height) / 128));
const toggle = (name) => {
  press(name, !isPressed(name));
  show(false);
};
const compare = (isHeld) => {
  const isShown = isHeld && Boolean(scene?.before) && !isBusy();
  press("compare", isShown);
  before.hidden = !isShown;
  element.dataset.compared = String(isShown);
};
const more = () => {
  const isOpen = element.dataset.more !== "true";
  element.dataset.more = String(isOpen);
  at("more").setAttribute("aria-expanded", String(isOpen));
};
const copy = async () => {
  const reply = await fetch(scene.file);
  await navigator.clipboard.write([new ClipboardItem({ "image/png": await reply.blob() })]);
  window.varStudio.notify("The picture is copied");
};
const BUTTONS = {
  undo,
  redo,
  more,
  fit,
  invert: () => change((one) => one.invert()),
  clear: () => change((one) => one.pixels.fill(0)),
  grow: () => change((one) => one.grow(step())),
  shrink: () => change((one) => one.grow(-step())),
  show: () => toggle("show"),
  in: () => zoom(1.5),
  out: () => zoom(1 / 1.5),
  leave: () => sides.toggle(false),
  empty: () => document.querySelector("#open")?.click(),
  copy: () => copy().catch(() => window.varStudio.notify("This browser lets nobody copy pictures")),
};
for (const [name, act] of Object.entries(BUTTONS)) at(name).addEventListener("click", act);
for (const name of Object.values(TOOLS)) at(name).addEventListener("click", () => choose(name));
at("versions").addEventListener("click", (event) => {
  const button = event.target.closest("[data-version]");
  if (button) go(Number(button.dataset.version));
});
element.querySelector("#outpaint").addEventListener("click", () => {
  trigger("outpaint", { ...sides.added });
});
for (const kind of ["pointerdown", "keydown"]) {
  at("compare").addEventListener(kind, (event) => {
    if (event.key === undefined || event.key === "Enter" || event.key === " ") compare(true);
  });
}
for (const kind of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) {
  at("compare").addEventListener(kind, () => compare(false));
}

const resize = (factor) => {
  size.value = String(Number(size.value) + factor * Math.max(1, Math.round(size.value * 0.2)));
};
const KEYS = {
  "[": () => resize(-1),
  "]": () => resize(1),
  "+": BUTTONS.in,
  "=": BUTTONS.in,
  "-": BUTTONS.out,
  0: fit,
  c: () => compare(true),
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const byKeyboard = (event) => {
  if (event.target !== board || !scene) return;
  let cursor = pointer ?? [room().width / 2, room().height / 2];
  const arrow = ARROWS[event.key];
  if (arrow) {
    const far = Math.max(4, radius() * view.scale);
    cursor = [cursor[0] + arrow[0] * far, cursor[1] + arrow[1] * far];
  } else if (event.key === "Enter") {
    change((one) => one.fillDisc(view.pixel(cursor), radius(), event.shiftKey ? 0 : 1));
  } else {
    return;
  }
  event.preventDefault();
  showRing(cursor);
};
document.addEventListener("keydown", (event) => {
  if (!element.offsetParent || event.target.closest("input, textarea, [role=listbox]")) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) redo();
    else undo();
  } else if (event.altKey) {
    return;
  } else if (key === " " && !event.target.closest("button, a")) {
    event.preventDefault();
    isSpaceDown = true;
  } else if (KEYS[key]) {
    KEYS[key]();
  } else if (TOOLS[key]) {
    choose(TOOLS[key]);
  } else {
    byKeyboard(event);
  }
});
document.addEventListener("keyup", (event) => {
  if (event.key === " ") isSpaceDown = false;
  if (event.key.toLowerCase() === "c") compare(false);
});

// a picture dropped on the board, or pasted while it is in view, is opened
const open = (files) => {
  const images = [...files].filter((file) => file.type.startsWith("image/"));
  const input = document.querySelector("#edit-files input[type=file]");
  if (!images.length || !input) return;
  const chosen = new DataTransfer();
  chosen.items.add(images[0]);
  input.files = chosen.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
};
element.addEventListener("dragover", (event) => event.preventDefault());
element.addEventListener("drop", (event) => {
  event.preventDefault();
  open(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  if (element.offsetParent) open(event.clipboardData.files);
});

watch("scene", update);
watch("forming", update);
watch("value", () => {
  if (!scene || (props.value ?? "") === told) return;
  remember();
  mask = Mask.fromRuns(props.value, mask.width, mask.height);
  tell();
});
new ResizeObserver(() => {
  document.body.classList.toggle("editing", Boolean(element.offsetParent));
  if (scene && view.isWhole) fit();
  else show(false);
}).observe(board);
for (const name of element.querySelectorAll(".tools b")) {
  name.parentElement.setAttribute("aria-label", name.textContent);
}
const editor = {
  /** Go on with a version. */
  go(number) {
    if (number !== scene?.current) go(number);
    start();
  },
  /** Edit a picture file. */
  open(file) {
    open([file]);
  },
};
window.varStudio = { ...window.varStudio, editor };
element.dataset.empty = "true";
element.dataset.room = "false";
choose("brush");
update();
