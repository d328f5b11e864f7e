/** Fingers and mouse on the board: one paints, two enlarge and move, and so does one with Space. */
export class Fingers {
  isMoving = false; // whether one finger moves the picture

  /** `hand` begins, extends, ends and forgets strokes, zooms, pans, and shows the ring of the brush. */
  constructor(board, hand) {
    Object.assign(this, { board, hand, all: new Map(), pinch: null, panned: null });
    for (const kind of ["down", "move", "up", "cancel", "leave"]) {
      board.addEventListener(`pointer${kind}`, (event) => this[kind](event));
    }
    board.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  place(event) {
    const area = this.board.getBoundingClientRect();
    return [event.clientX - area.left - this.board.clientLeft, event.clientY - area.top - this.board.clientTop];
  }

  /** The middle of two fingers, and how far they are apart. */
  gather() {
    const [first, second] = [...this.all.values()];
    const centre = [(first[0] + second[0]) / 2, (first[1] + second[1]) / 2];
    return { centre, span: Math.hypot(first[0] - second[0], first[1] - second[1]) };
  }

  down(event) {
    if (!this.hand.isReady() || event.target.closest("button") || event.button > 1) return;
    event.preventDefault();
    this.board.focus({ preventScroll: true });
    this.board.setPointerCapture(event.pointerId);
    const here = this.place(event);
    this.all.set(event.pointerId, here);
    if (this.all.size > 1) {
      this.hand.forget();
      this.pinch = this.gather();
    } else if (this.isMoving || event.button === 1) {
      this.panned = here;
    } else {
      this.hand.begin(here, event.shiftKey);
    }
  }

  move(event) {
    const here = this.place(event);
    if (this.all.has(event.pointerId)) this.all.set(event.pointerId, here);
    if (this.pinch && this.all.size > 1) {
      const now = this.gather();
      this.hand.zoom(now.span / Math.max(1, this.pinch.span), now.centre);
      this.hand.pan(this.pinch.centre, now.centre);
      this.pinch = now;
    } else if (this.panned) {
      this.hand.pan(this.panned, here);
      this.panned = here;
    } else if (this.all.size) {
      const moves = event.getCoalescedEvents?.() ?? [];
      for (const one of moves.length ? moves : [event]) this.hand.extend(this.place(one));
    }
    this.hand.ring(event.target.closest("button") || this.pinch ? null : here);
  }

  up(event) {
    this.all.delete(event.pointerId);
    if (this.all.size) return;
    [this.pinch, this.panned] = [null, null];
    this.hand.end();
    if (event.pointerType !== "mouse") this.hand.ring(null);
  }

  cancel(event) {
    this.up(event);
  }

  leave() {
    this.hand.ring(null);
  }

  wheel(event) {
    if (!this.hand.isReady() || (this.hand.isWhole() && event.deltaY > 0)) return; // the page is scrolled
    event.preventDefault();
    const here = this.place(event);
    this.hand.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), here);
    this.hand.ring(here);
  }
}
