const MOST = 40; // screen pixels for a pixel of the picture

/** Where the picture lies on the board: its left upper corner, and screen pixels for each pixel. */
export class View {
  left = 0;
  top = 0;
  scale = 1;
  least = 1;

  /** Show the picture, with the sides that are added, as large as the board lets it. */
  fit(board, size, sides, share) {
    const wide = sides.left + size[0] + sides.right;
    const high = sides.top + size[1] + sides.bottom;
    this.scale = Math.min((board.width * share) / wide, (board.height * share) / high);
    this.least = this.scale;
    this.left = (board.width - wide * this.scale) / 2 + sides.left * this.scale;
    this.top = (board.height - high * this.scale) / 2 + sides.top * this.scale;
  }

  /** Change the scale, so that what lies at a place of the board stays there. */
  zoom(factor, [x, y]) {
    const scale = Math.min(Math.max(this.scale * factor, this.least), Math.max(MOST, this.least));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
  }

  /** Move the picture, a part of which stays in sight. */
  pan(x, y, board, size) {
    const kept = 40;
    const within = (place, length, room) =>
      Math.min(Math.max(place, kept - length * this.scale), room - kept);
    this.left = within(this.left + x, size[0], board.width);
    this.top = within(this.top + y, size[1], board.height);
  }

  get isWhole() {
    return this.scale <= this.least * 1.001;
  }

  /** The place in the picture under a place of the board. */
  pixel([x, y]) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }
}
