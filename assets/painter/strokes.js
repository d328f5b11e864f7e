import { Mask } from "./mask.js";

const KEPT_STROKES = 60; // to undo
/** The tools, by the keys that choose them. */
export const TOOLS = { b: "brush", e: "eraser", r: "rectangle", l: "lasso" };

/** What is painted on a picture, stroke by stroke, and what was taken back. */
export class Strokes {
  mask = new Mask(0, 0);
  tool = TOOLS.b;
  points = null; // of the stroke that is being painted
  done = []; // the masks before the last strokes
  undone = [];
  taken = []; // what could be done again before the stroke that is being painted

  /** Whether the tool paints along its way. */
  get isBrush() {
    return this.tool === TOOLS.b || this.tool === TOOLS.e;
  }

  /** Go on with another mask, and none of the strokes so far. */
  reset(mask) {
    Object.assign(this, { mask, done: [], undone: [], taken: [] });
  }

  /** Take a mask back that an edit had taken, as if it had been painted before all that was since. */
  restore(mask) {
    if (this.points && !this.done.length) this.done.push(this.before());
    for (const one of [this.mask, ...this.done, ...this.undone, ...this.taken]) one.add(mask);
  }

  remember() {
    this.done = [...this.done.slice(1 - KEPT_STROKES), this.mask.copy()];
    this.undone = [];
  }

  undo() {
    this.undone.push(this.mask);
    this.mask = this.done.pop();
  }

  redo() {
    this.done.push(this.mask);
    this.mask = this.undone.pop();
  }

  begin(pixel, radius, erases) {
    this.taken = this.undone;
    this.remember();
    this.points = [pixel];
    this.value = erases || this.tool === TOOLS.e ? 0 : 1;
    if (this.isBrush) this.mask.fillDisc(pixel, radius, this.value);
  }

  extend(pixel, radius) {
    if (this.tool === TOOLS.r) {
      this.mask = this.before();
      this.mask.fillBox(this.points[0], pixel, this.value);
    } else if (this.isBrush) {
      this.mask.fillLine(this.points.at(-1), pixel, radius, this.value);
    }
    this.points.push(pixel);
  }

  end() {
    if (this.tool === TOOLS.l) this.mask.fillPolygon(this.points, this.value);
    this.points = null;
  }

  /** Take the stroke back that is being painted. */
  forget() {
    this.mask = this.before();
    this.done.pop();
    this.undone = this.taken;
    this.points = null;
  }

  /** The mask before the stroke; an edit that has begun since took what was painted. */
  before() {
    return this.done.at(-1)?.copy() ?? new Mask(this.mask.width, this.mask.height);
  }
}
