// The canvas of an edit: picture, mask, the result as it forms, and the versions so far.
import { Mask } from "./mask.js";
import { Strokes, TOOLS } from "./strokes.js";
import { View } from "./view.js";
import { cleanPen, drawLasso, drawTokens, tokensUnder } from "./overlay.js";
import { Sides } from "./sides.js";
import { Fingers } from "./fingers.js";
import { listenToKeys } from "./keys.js";
import { makeVersions } from "./versions.js";
import { whileHeld } from "./hold.js";
import { openFile, takeFiles } from "./files.js";

const PAINT = [225, 29, 72, 140];
const ROOMY = 0.62; // of the board, for picture and new sides while they are dragged
const at = (name) => element.querySelector(`[data-part=${name}]`);
const [board, sheet, veil, lines, size] = ["board", "sheet", "mask", "grid", "size"].map(at);
const [picture, forming, before] = ["picture", "forming", "before"].map(at);
const view = new View();
const strokes = new Strokes();

let scene = null; // what the server shows: the picture and its versions
let seen = "";
let sent = null; // the mask of the edit that is running
let told = "";
let tokens = { window: null, tokens: [] };
let isDirty = true;
let frame = 0;
let wanted = null; // number of the version that is to be varied once it is here

const room = () => ({ width: board.clientWidth, height: board.clientHeight });
const extent = () => [strokes.mask.width, strokes.mask.height];
const isBusy = () => Boolean(sent);
const isPressed = (name) => at(name).getAttribute("aria-pressed") === "true";
const press = (name, value) => at(name).setAttribute("aria-pressed", String(value));
const edge = () => (board.clientWidth < 480 ? 0.93 : 0.96); // the rest is for the handles

/** Let a button outside be pressed, or not. */
const enable = (name, can) => {
  const button = document.querySelector(`#${name}`);
  if (button) button.disabled = !can;
};

const renderMask = () => {
  const { mask } = strokes;
  [veil.width, veil.height] = extent();
  const percent = Math.round(1000 * mask.show(veil, PAINT)) / 10;
  at("coverage").textContent = `${percent} % to redraw`;
  tokens = tokensUnder(mask, scene.model.map((side) => (side * mask.width) / scene.full[0]), scene.cells);
  element.dataset.window = tokens.window ? JSON.stringify(tokens.window) : "";
  element.dataset.cells = String(tokens.tokens.filter((one) => one.share > 0).length);
};
const render = () => {
  frame = 0;
  const [width, height] = extent();
  const places = { left: view.left, top: view.top, width: width * view.scale, height: height * view.scale };
  for (const [name, pixels] of Object.entries(places)) sheet.style[name] = `${pixels}px`;
  sheet.classList.toggle("near", view.scale >= 12 && !view.isWhole);
  if (isDirty && width) {
    isDirty = false;
    renderMask();
  }
  const pen = cleanPen(lines, room());
  if (tokens.window && isPressed("show") && !isBusy()) drawTokens(pen, view, tokens);
  if (strokes.tool === "lasso" && strokes.points) drawLasso(pen, view, strokes.points);
  for (const name of ["redraw-mask", "vary", "load-mask"]) enable(name, scene);
  enable("try-again", scene?.again);
  at("undo").disabled = !strokes.done.length && (isBusy() || typeof scene?.undo !== "number");
  at("redo").disabled = !strokes.undone.length && (isBusy() || typeof scene?.redo !== "number");
  if (scene) sides.show(at("frame"), at("total"), extent());
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
  view.fit(room(), extent(), sides.shown, sides.open ? ROOMY : edge());
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
  told = strokes.mask.runs();
  if (props.value !== told) props.value = told;
  showNow();
};
const change = (edit) => {
  if (!scene) return;
  strokes.remember();
  edit(strokes.mask);
  tell();
};
const go = (number) => {
  if (typeof number === "number" && !isBusy()) trigger("go", { number });
};
const undo = () => {
  if (!strokes.done.length) return go(scene?.undo);
  strokes.undo();
  return tell();
};
const redo = () => {
  if (!strokes.undone.length) return go(scene?.redo);
  strokes.redo();
  return tell();
};

/** Stand in the place of the stage. */
const start = () => {
  window.varStudio.openTab("edit");
  requestAnimationFrame(() => element.scrollIntoView({ block: "nearest" }));
};

/** What was painted while the edit ran, on a picture to which sides were added meanwhile. */
const moved = (painted, from) => {
  const [wide, narrow] = [scene.full[0] / scene.shown[0], from.full[0] / painted.width];
  const find = (x, y) => [x, y].map((one, axis) => (one * wide - scene.place[axis]) / narrow);
  return painted.moved(...scene.shown, find);
};

const showVersions = makeVersions(at("versions"), go);
const load = () => {
  const from = scene;
  scene = props.scene;
  const [width, height] = scene.shown;
  const isSame = strokes.mask.width === width && strokes.mask.height === height;
  const isResult = scene.mask === null && from !== null;
  sent = null;
  strokes.points = null;
  if (!isResult) strokes.reset(Mask.fromRuns(scene.mask, width, height));
  else if (!isSame) strokes.reset(moved(strokes.mask, from));
  element.dataset.empty = "false";
  picture.src = scene.picture;
  picture.alt = "The picture to paint on";
  before.src = scene.before || scene.picture;
  at("compare").disabled = !scene.before;
  Object.assign(at("save"), { href: scene.file, download: scene.name });
  showVersions(scene.versions, scene.current);
  sides.reset(scene.full, scene.full[0] / width);
  if (!isSame) {
    size.max = String(Math.max(8, Math.round(Math.max(width, height) / 4)));
    size.value = String(Math.max(2, Math.round(Math.max(width, height) / 10)));
  }
  if (!isSame || !isResult) fit();
  window.varStudio.stage?.showVersion(scene, isResult);
  if (scene.opens) start();
  tell();
  if (wanted === scene.current) vary(wanted);
};

const update = () => {
  const text = JSON.stringify(props.scene ?? null);
  if (text !== seen && props.scene) {
    seen = text;
    load();
  } else if (sent && !props.forming) {
    strokes.restore(sent); // nothing is lost
    sent = null;
    tell();
  } else if (!sent && props.forming && scene) {
    sent = strokes.mask;
    strokes.reset(new Mask(...extent()));
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

/** Vary a version, in the place of the picture. */
const vary = (number) => {
  start();
  wanted = number === scene.current ? null : number;
  if (wanted === null) document.querySelector("#vary")?.click();
  else go(number);
};

// the brush, and the ring that shows what it would paint
const ring = at("ring");
let pointer = null; // where the brush is, on the board
const radius = () => Math.max(0.75, Number(size.value) / 2);
const showRing = (where = pointer) => {
  pointer = where;
  ring.hidden = !where || !scene || !strokes.isBrush;
  if (ring.hidden) return;
  const side = 2 * radius() * view.scale;
  const places = { left: where[0], top: where[1], width: side, height: side };
  for (const [name, pixels] of Object.entries(places)) ring.style[name] = `${pixels}px`;
};
const zoom = (factor, where = [room().width / 2, room().height / 2]) => {
  if (!scene) return;
  view.zoom(factor, where);
  view.pan(0, 0, room(), extent());
  if (view.isWhole) fit();
  show(false);
};
const fingers = new Fingers(board, {
  isReady: () => Boolean(scene),
  isWhole: () => view.isWhole,
  begin(here, erases) {
    strokes.begin(view.pixel(here), radius(), erases);
    show();
  },
  extend(here) {
    if (!strokes.points) return;
    strokes.extend(view.pixel(here), radius());
    show();
  },
  end() {
    if (!strokes.points) return;
    strokes.end();
    tell();
  },
  forget() {
    if (!strokes.points) return;
    strokes.forget();
    show();
  },
  pan(from, to) {
    view.pan(to[0] - from[0], to[1] - from[1], room(), extent());
    show(false);
  },
  zoom,
  ring: showRing,
});

// buttons and keys
const choose = (name) => {
  strokes.tool = name;
  for (const other of Object.values(TOOLS)) press(other, other === name);
};
const step = () => Math.max(1, Math.round(Math.max(...extent()) / 128));
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
  invert: () => change((mask) => mask.invert()),
  clear: () => change((mask) => mask.pixels.fill(0)),
  grow: () => change((mask) => mask.grow(step())),
  shrink: () => change((mask) => mask.grow(-step())),
  show: () => toggle("show"),
  in: () => zoom(1.5),
  out: () => zoom(1 / 1.5),
  leave: () => sides.toggle(false),
  empty: () => document.querySelector("#open")?.click(),
  copy: () => copy().catch(() => window.varStudio.notify("This browser lets nobody copy pictures")),
};
for (const [name, act] of Object.entries(BUTTONS)) at(name).addEventListener("click", act);
for (const name of Object.values(TOOLS)) at(name).addEventListener("click", () => choose(name));
element.querySelector("#outpaint").addEventListener("click", () => {
  trigger("outpaint", { ...sides.added });
});
whileHeld(at("compare"), compare);

const resize = (factor) => {
  size.value = String(Number(size.value) + factor * Math.max(1, Math.round(size.value * 0.2)));
};
const cursor = () => pointer ?? [room().width / 2, room().height / 2];
const KEYS = {
  "[": () => resize(-1),
  "]": () => resize(1),
  "+": BUTTONS.in,
  "=": BUTTONS.in,
  "-": BUTTONS.out,
  0: fit,
  c: () => compare(true),
};
for (const [key, name] of Object.entries(TOOLS)) KEYS[key] = () => choose(name);
listenToKeys(element, board, KEYS, {
  undo,
  redo,
  compare,
  moves(isMoving) {
    fingers.isMoving = isMoving;
  },
  step(x, y) {
    const far = Math.max(4, radius() * view.scale);
    showRing([cursor()[0] + x * far, cursor()[1] + y * far]);
  },
  dab(erases) {
    change((mask) => mask.fillDisc(view.pixel(cursor()), radius(), erases ? 0 : 1));
    showRing(cursor());
  },
});
takeFiles(element);

watch("scene", update);
watch("forming", update);
watch("value", () => {
  if (!scene || (props.value ?? "") === told) return;
  strokes.remember();
  strokes.mask = Mask.fromRuns(props.value, ...extent());
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
  vary,
  /** Go back to the stage, which knows nothing of pictures that were opened here. */
  leave() {
    window.varStudio.openTab();
    if (!scene?.isEdited || scene.source) return;
    window.varStudio.notify("Your picture is kept under Drawn so far. Edit a photo goes on with it");
  },
  /** Edit a picture file. */
  open(file) {
    openFile([file]);
  },
};
window.varStudio = { ...window.varStudio, editor };
element.dataset.empty = "true";
element.dataset.room = "false";
choose("brush");
update();
