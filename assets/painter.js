// A mask painter: binary pixels, run lengths as value, one layer each for picture, mask and grid.
const HISTORY = 60;
const GRID_LINE = "rgba(120, 120, 140, 0.35)"; // between the tokens
const GRID_FRAME = "rgba(67, 56, 202, 0.9)"; // around the window that the model sees
const redrawn = (share) => `rgba(67, 56, 202, ${0.12 + 0.28 * share})`; // a token, by its masked share
const NAMES = { b: "brush", e: "eraser", r: "rectangle" };
const at = (name) => element.querySelector(`[data-part=${name}]`);
const board = at("board");
const picture = at("picture");
const veil = at("mask");
const lines = at("grid");
const size = at("size");

let width = 0;
let height = 0;
let mask = new Uint8Array(0);
let tool = "brush";
let undone = [];
let done = [];
let last = null;
let start = null;
let said = "";

const runs = () => {
  const found = [];
  let value = 0;
  let length = 0;
  for (const pixel of mask) {
    if (pixel === value) {
      length += 1;
    } else {
      found.push(length);
      value = pixel;
      length = 1;
    }
  }
  found.push(length);
  return JSON.stringify({ width, height, runs: found });
};

const unpack = (text) => {
  const content = JSON.parse(text);
  if (content.width !== width || content.height !== height) return;
  let place = 0;
  content.runs.forEach((length, index) => {
    mask.fill(index % 2, place, place + length);
    place += length;
  });
};

// the square that the model sees, as var_core/editing/windows.py places it
const box = () => {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (mask[y * width + x]) {
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
      }
    }
  }
  return right < 0 ? null : { left, top, right, bottom };
};
const placed = (first, end, side, length) => {
  const begin = Math.floor((first + end + 1 - side) / 2);
  if (side > length) return Math.floor((length - side) / 2);
  return Math.min(Math.max(begin, 0), length - side);
};
const seen = () => {
  const found = box();
  if (!found) return null;
  const wide = Math.max(found.right - found.left, found.bottom - found.top) + 1;
  const short = Math.min(width, height);
  const model = Math.max(1, Math.round((props.model * width) / props.full[0]));
  let side = Math.max(Math.min(Math.max(2 * wide, model), short), wide);
  if (side > 0.75 * short) side = Math.max(side, short);
  return {
    left: placed(found.left, found.right, side, width),
    top: placed(found.top, found.bottom, side, height),
    side,
  };
};

const touched = (window, column, row, cell) => {
  const [x0, y0] = [window.left + column * cell, window.top + row * cell];
  let [inside, drawn] = [0, 0];
  for (let y = Math.max(0, Math.floor(y0)); y < Math.min(height, Math.ceil(y0 + cell)); y += 1) {
    for (let x = Math.max(0, Math.floor(x0)); x < Math.min(width, Math.ceil(x0 + cell)); x += 1) {
      inside += 1;
      drawn += mask[y * width + x];
    }
  }
  return inside ? drawn / inside : 0;
};

const showGrid = () => {
  const area = lines.getBoundingClientRect();
  lines.width = Math.max(1, Math.round(area.width));
  lines.height = Math.max(1, Math.round(area.height));
  const pen = lines.getContext("2d");
  const window = seen();
  element.dataset.window = window ? JSON.stringify(window) : "";
  if (!window || at("show").getAttribute("aria-pressed") !== "true") return;
  const scale = lines.width / width;
  const cell = window.side / props.cells;
  let count = 0;
  for (let row = 0; row < props.cells; row += 1) {
    for (let column = 0; column < props.cells; column += 1) {
      const share = touched(window, column, row, cell);
      const left = (window.left + column * cell) * scale;
      const top = (window.top + row * cell) * scale;
      pen.strokeStyle = GRID_LINE;
      pen.strokeRect(left, top, cell * scale, cell * scale);
      if (share > 0) {
        count += 1;
        pen.fillStyle = redrawn(share);
        pen.fillRect(left, top, cell * scale, cell * scale);
      }
    }
  }
  element.dataset.cells = String(count);
  pen.strokeStyle = GRID_FRAME;
  pen.lineWidth = 2;
  pen.strokeRect(window.left * scale, window.top * scale, window.side * scale, window.side * scale);
};

const show = () => {
  const pen = veil.getContext("2d");
  const pixels = pen.createImageData(width || 1, height || 1);
  let count = 0;
  for (let place = 0; place < mask.length; place += 1) {
    if (mask[place]) {
      count += 1;
      pixels.data.set([225, 29, 72, 150], 4 * place);
    }
  }
  pen.putImageData(pixels, 0, 0);
  const percent = mask.length ? Math.round((1000 * count) / mask.length) / 10 : 0;
  at("coverage").textContent = width ? `${percent} % to redraw` : "";
  at("undo").disabled = !done.length;
  at("redo").disabled = !undone.length;
  showGrid();
};

const tell = () => {
  said = mask.includes(1) ? runs() : "";
  if (props.value !== said) props.value = said;
  show();
};
const remember = () => {
  done.push(mask.slice());
  done = done.slice(-HISTORY);
  undone = [];
};
const change = (edit) => {
  if (!width) return;
  remember();
  edit();
  tell();
};
const swap = (from, to) => {
  if (!from.length) return;
  to.push(mask);
  mask = from.pop();
  tell();
};

const load = () => {
  [width, height] = props.picture ? props.shown : [0, 0];
  mask = new Uint8Array(width * height);
  done = [];
  undone = [];
  element.dataset.empty = String(!width);
  board.style.aspectRatio = width ? `${width} / ${height}` : "";
  board.style.maxWidth = width ? `calc(60vh * ${width / height})` : "";
  veil.width = width || 1;
  veil.height = height || 1;
  picture.src = props.picture || "";
  picture.alt = width ? "The picture to paint on" : "";
  size.max = String(Math.max(8, Math.round(Math.max(width, height) / 4)));
  size.value = String(Math.max(2, Math.round(Math.max(width, height) / 10)));
  if (props.value) unpack(props.value);
  tell();
};

const point = (event) => {
  const area = veil.getBoundingClientRect();
  return [
    ((event.clientX - area.left) / area.width) * width,
    ((event.clientY - area.top) / area.height) * height,
  ];
};
const disc = (x, y, radius, value) => {
  const [top, bottom] = [Math.floor(y - radius), Math.ceil(y + radius)];
  for (let row = Math.max(0, top); row < Math.min(height, bottom + 1); row += 1) {
    const reach = radius * radius - (row + 0.5 - y) ** 2;
    if (reach > 0) {
      const half = Math.sqrt(reach);
      const from = Math.max(0, Math.ceil(x - half - 0.5));
      const to = Math.min(width - 1, Math.floor(x + half - 0.5));
      if (to >= from) mask.fill(value, row * width + from, row * width + to + 1);
    }
  }
};
const stroke = (from, to, value) => {
  const radius = Math.max(0.75, Number(size.value) / 2);
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const steps = Math.max(1, Math.ceil(length / Math.max(0.5, radius / 3)));
  for (let step = 0; step <= steps; step += 1) {
    const part = step / steps;
    disc(from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part, radius, value);
  }
};
const rectangle = (from, to) => {
  const [left, right] = [from[0], to[0]].toSorted((a, b) => a - b).map(Math.round);
  const [top, bottom] = [from[1], to[1]].toSorted((a, b) => a - b).map(Math.round);
  for (let y = Math.max(0, top); y < Math.min(height, bottom); y += 1) {
    mask.fill(1, y * width + Math.max(0, left), y * width + Math.min(width, right));
  }
};

veil.addEventListener("pointerdown", (event) => {
  if (!width || event.button > 0) return;
  event.preventDefault();
  veil.setPointerCapture(event.pointerId);
  remember();
  start = point(event);
  last = start;
  if (tool !== "rectangle") stroke(start, start, tool === "brush" && !event.shiftKey ? 1 : 0);
  show();
});
veil.addEventListener("pointermove", (event) => {
  if (!start) return;
  for (const move of event.getCoalescedEvents?.() ?? [event]) {
    const here = point(move);
    if (tool === "rectangle") {
      mask = done.at(-1).slice();
      rectangle(start, here);
    } else {
      stroke(last, here, tool === "brush" && !event.shiftKey ? 1 : 0);
    }
    last = here;
  }
  show();
});
const finish = () => {
  if (!start) return;
  start = null;
  tell();
};
veil.addEventListener("pointerup", finish);
veil.addEventListener("pointercancel", finish);

const choose = (name) => {
  tool = name;
  for (const other of Object.values(NAMES)) {
    at(other).setAttribute("aria-pressed", String(other === name));
  }
};
for (const name of Object.values(NAMES)) at(name).addEventListener("click", () => choose(name));
at("invert").addEventListener("click", () => change(() => mask.forEach((v, i) => (mask[i] = 1 - v))));
at("clear").addEventListener("click", () => change(() => mask.fill(0)));
at("undo").addEventListener("click", () => swap(done, undone));
at("redo").addEventListener("click", () => swap(undone, done));
at("show").addEventListener("click", () => {
  const button = at("show");
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  showGrid();
});

const resize = (factor) => {
  const step = Math.max(1, Math.round(Number(size.value) * 0.2));
  size.value = String(Number(size.value) + factor * step);
};
document.addEventListener("keydown", (event) => {
  if (!element.offsetParent || event.target.closest("input, textarea, [role=listbox]")) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") {
      event.preventDefault();
      if (event.shiftKey) swap(undone, done);
      else swap(done, undone);
    } else if (key === "y") {
      event.preventDefault();
      swap(undone, done);
    }
  } else if (key === "[") {
    resize(-1);
  } else if (key === "]") {
    resize(1);
  } else if (NAMES[key] && !event.altKey) {
    choose(NAMES[key]);
  }
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
at("empty").addEventListener("click", () => document.querySelector("#open")?.click());

watch("picture", load);
watch("value", () => {
  if (props.value === said) return;
  remember();
  mask = new Uint8Array(width * height);
  if (props.value) unpack(props.value);
  said = props.value;
  show();
});
new ResizeObserver(showGrid).observe(board);
choose("brush");
load();
