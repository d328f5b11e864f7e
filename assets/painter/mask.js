/** Where a window of a side starts, so that it is around a box and inside, if it can be. */
const placed = (first, end, side, length) => {
  if (side > length) return Math.floor((length - side) / 2);
  return Math.min(Math.max(Math.floor((first + end + 1 - side) / 2), 0), length - side);
};

/** What is painted: one byte a pixel, row by row, 1 where the picture is to be drawn anew. */
export class Mask {
  constructor(width, height, pixels = new Uint8Array(width * height)) {
    Object.assign(this, { width, height, pixels });
  }

  /** A mask from its run lengths; one of another size is an error. */
  static fromRuns(text, width, height) {
    const mask = new Mask(width, height);
    if (!text) return mask;
    const content = JSON.parse(text);
    if (content.width !== width || content.height !== height) {
      throw new Error(`the mask is ${content.width}x${content.height}, not ${width}x${height}`);
    }
    let place = 0;
    content.runs.forEach((length, index) => {
      mask.pixels.fill(index % 2, place, place + length);
      place += length;
    });
    return mask;
  }

  /** Lengths of runs as JSON, beginning with what is kept; "" where nothing is painted. */
  runs() {
    if (!this.pixels.includes(1)) return "";
    const { width, height } = this;
    const found = [];
    let [value, length] = [0, 0];
    for (const pixel of this.pixels) {
      if (pixel === value) {
        length += 1;
      } else {
        found.push(length);
        [value, length] = [pixel, 1];
      }
    }
    found.push(length);
    return JSON.stringify({ width, height, runs: found });
  }

  copy() {
    return new Mask(this.width, this.height, this.pixels.slice());
  }

  /** Paint all that is painted on another one of this size. */
  add({ pixels }) {
    pixels.forEach((pixel, place) => (this.pixels[place] |= pixel));
  }

  /** The same on another picture, whose place (x, y) is `find(x, y)` here. */
  moved(width, height, find) {
    const found = new Mask(width, height);
    found.pixels.forEach((_, place) => {
      const [x, y] = find((place % width) + 0.5, Math.floor(place / width) + 0.5).map(Math.floor);
      if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
      found.pixels[place] = this.pixels[y * this.width + x];
    });
    return found;
  }

  invert() {
    this.pixels = this.pixels.map((pixel) => 1 - pixel);
  }

  /** Fill the pixels of a row whose centres lie between two columns. */
  fillRow(row, from, to, value) {
    const first = Math.max(0, Math.ceil(from - 0.5));
    const last = Math.min(this.width, Math.ceil(to - 0.5));
    if (row < 0 || row >= this.height || first >= last) return;
    this.pixels.fill(value, row * this.width + first, row * this.width + last);
  }

  fillDisc([x, y], radius, value) {
    for (let row = Math.floor(y - radius); row <= Math.ceil(y + radius); row += 1) {
      const reach = radius * radius - (row + 0.5 - y) ** 2;
      if (reach > 0) this.fillRow(row, x - Math.sqrt(reach), x + Math.sqrt(reach), value);
    }
  }

  fillLine(from, to, radius, value) {
    const [x, y] = [to[0] - from[0], to[1] - from[1]];
    const steps = Math.max(1, Math.ceil(Math.hypot(x, y) / Math.max(0.5, radius / 3)));
    for (let step = 0; step <= steps; step += 1) {
      this.fillDisc([from[0] + (x * step) / steps, from[1] + (y * step) / steps], radius, value);
    }
  }

  fillBox(from, to, value) {
    const [left, right] = [from[0], to[0]].toSorted((a, b) => a - b).map(Math.round);
    const [top, bottom] = [from[1], to[1]].toSorted((a, b) => a - b).map(Math.round);
    for (let row = top; row < bottom; row += 1) this.fillRow(row, left, right, value);
  }

  /** Fill what a closed line runs around, also where it runs around it twice. */
  fillPolygon(points, value) {
    for (let row = 0; row < this.height; row += 1) {
      const crossings = [];
      points.forEach(([x1, y1], index) => {
        const [x0, y0] = points.at(index - 1);
        const [above, below] = [y0 <= row + 0.5, y1 <= row + 0.5];
        if (above === below) return;
        const x = x0 + ((row + 0.5 - y0) / (y1 - y0)) * (x1 - x0);
        crossings.push([x, above ? 1 : -1]);
      });
      crossings.sort((a, b) => a[0] - b[0]);
      let turns = 0;
      crossings.forEach(([x, turn], index) => {
        if (turns) this.fillRow(row, crossings[index - 1][0], x, value);
        turns += turn;
      });
    }
  }

  /** Add a border of so many pixels, or take it away where they are negative. */
  grow(pixels) {
    if (pixels < 0) this.invert();
    const reach = Math.abs(pixels);
    const { width, height } = this;
    this.spread(height, width, width, 1, reach);
    this.spread(width, height, 1, width, reach);
    if (pixels < 0) this.invert();
  }

  /** Spread what is painted along lines: their number, their length, steps between and in them. */
  spread(lines, length, between, step, reach) {
    const before = this.pixels;
    const after = before.slice();
    for (let line = 0; line < lines; line += 1) {
      let until = -1; // the last place that is reached from what was painted so far
      for (let place = -reach; place < length; place += 1) {
        const ahead = place + reach;
        if (ahead < length && before[line * between + ahead * step]) until = ahead + reach;
        if (place >= 0 && place <= until) after[line * between + place * step] = 1;
      }
    }
    this.pixels = after;
  }

  /** Borders around all that is painted, or null. */
  box() {
    const { width, height } = this;
    let [left, top, right, bottom] = [width, height, -1, -1];
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        if (this.pixels[y * width + x]) {
          left = Math.min(left, x);
          right = Math.max(right, x);
          top = Math.min(top, y);
          bottom = y;
        }
      }
    }
    return right < 0 ? null : { left, top, right, bottom };
  }

  /** What the model sees, as var_core/editing/windows.py places it, or null; `model` is the height
   * and width of its pictures. */
  window([rows, columns]) {
    const { width, height } = this;
    const found = this.box();
    if (!found) return null;
    const least = Math.max((found.bottom - found.top + 1) / rows, (found.right - found.left + 1) / columns);
    const largest = Math.min(height / rows, width / columns);
    let scale = Math.max(Math.min(Math.max(2 * least, 1), largest), least);
    if (scale > 0.75 * largest) scale = Math.max(scale, largest);
    const [high, wide] = [rows, columns].map((side) => Math.ceil(scale * side - 1e-6));
    const left = placed(found.left, found.right, wide, width);
    return { left, top: placed(found.top, found.bottom, high, height), width: wide, height: high };
  }

  /** How much of a rectangle is painted, 0 to 1. */
  share({ left, top, width, height }) {
    let [inside, painted] = [0, 0];
    const [right, bottom] = [Math.ceil(left + width), Math.ceil(top + height)];
    for (let y = Math.max(0, Math.floor(top)); y < Math.min(this.height, bottom); y += 1) {
      for (let x = Math.max(0, Math.floor(left)); x < Math.min(this.width, right); x += 1) {
        inside += 1;
        painted += this.pixels[y * this.width + x];
      }
    }
    return inside ? painted / inside : 0;
  }

  /** Show what is painted in a colour, given as red, green, blue and opacity; returns its share. */
  show(board, colour) {
    const pen = board.getContext("2d");
    const image = pen.createImageData(this.width, this.height);
    const words = new Uint32Array(image.data.buffer);
    const [word] = new Uint32Array(new Uint8Array(colour).buffer);
    let count = 0;
    this.pixels.forEach((pixel, place) => {
      if (!pixel) return;
      count += 1;
      words[place] = word;
    });
    pen.putImageData(image, 0, 0);
    return count / this.pixels.length;
  }
}
