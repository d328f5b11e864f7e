const NONE = { left: 0, top: 0, right: 0, bottom: 0 };
const MOST_ADDED = 512; // pixels
const OUTWARD = { left: [-1, 0], top: [0, -1], right: [1, 0], bottom: [0, 1] };

/** Room to add at the sides of the picture, by handles at its edges or by numbers. */
export class Sides {
  open = false;
  added = { ...NONE }; // pixels of the picture itself, which may be shown smaller

  /** Find the handles and numbers of the painter; `changed` is called whenever they change. */
  constructor(painter, view, changed) {
    Object.assign(this, { painter, view, changed, factor: 1 });
    this.inputs = [...painter.querySelectorAll("input[data-side]")];
    this.handles = [...painter.querySelectorAll(".handle")];
    for (const handle of this.handles) this.listen(handle);
    for (const input of this.inputs) {
      input.addEventListener("input", () => this.set(input.dataset.side, Number(input.value)));
    }
  }

  listen(handle) {
    const { side } = handle.dataset;
    const [x, y] = OUTWARD[side];
    let start = null;
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.setPointerCapture(event.pointerId);
      this.toggle(true);
      start = { x: event.clientX, y: event.clientY, added: this.added[side] };
    });
    handle.addEventListener("pointermove", (event) => {
      if (!start) return;
      const moved = (event.clientX - start.x) * x + (event.clientY - start.y) * y;
      this.set(side, start.added + (moved * this.factor) / this.view.scale, false);
    });
    const end = () => {
      start = null;
      this.changed(true);
    };
    handle.addEventListener("pointerup", end);
    handle.addEventListener("pointercancel", end);
    handle.addEventListener("click", () => this.toggle(true)); // by keyboard too
    handle.addEventListener("keydown", (event) => {
      const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const key = keys[event.key];
      if (!key) return;
      event.preventDefault();
      this.toggle(true);
      this.set(side, this.added[side] + (key[0] * x + key[1] * y) * this.step);
    });
  }

  /** Begin with a new picture; `factor`: its pixels for each pixel that is shown. */
  reset(size, factor) {
    Object.assign(this, { size, factor, step: Math.max(1, Math.round(Math.min(...size) / 16)) });
    this.added = { ...NONE };
    this.toggle(false);
  }

  toggle(open) {
    if (this.open === open) return;
    this.open = open;
    if (!open) this.added = { ...NONE };
    this.changed(true);
  }

  set(side, pixels, refits = true) {
    this.added[side] = Math.min(Math.max(Math.round(pixels) || 0, 0), MOST_ADDED);
    this.changed(refits);
  }

  /** Pixels that are added, as the picture is shown. */
  get shown() {
    const of = (side) => this.added[side] / this.factor;
    return { left: of("left"), top: of("top"), right: of("right"), bottom: of("bottom") };
  }

  get total() {
    return Object.values(this.added).reduce((sum, one) => sum + one, 0);
  }

  /** Put frame, handles and numbers where they belong. */
  show(frame, words, size) {
    const { left, top, scale } = this.view;
    const added = this.shown;
    const box = {
      left: left - added.left * scale,
      top: top - added.top * scale,
      width: (added.left + size[0] + added.right) * scale,
      height: (added.top + size[1] + added.bottom) * scale,
    };
    for (const [name, pixels] of Object.entries(box)) frame.style[name] = `${pixels}px`;
    for (const handle of this.handles) {
      const [x, y] = OUTWARD[handle.dataset.side];
      handle.style.left = `${box.left + (box.width * (1 + x)) / 2}px`;
      handle.style.top = `${box.top + (box.height * (1 + y)) / 2}px`;
    }
    for (const input of this.inputs) {
      const pixels = String(this.added[input.dataset.side]);
      if (input.value !== pixels && input !== document.activeElement) input.value = pixels;
    }
    const wide = this.added.left + this.size[0] + this.added.right;
    const high = this.added.top + this.size[1] + this.added.bottom;
    words.textContent = `${wide} \u00d7 ${high} pixels`;
  }
}
