const GRID_LINE = "rgba(120, 120, 140, 0.4)"; // between the tokens
const GRID_FRAME = "rgba(67, 56, 202, 0.9)"; // around the window that the model sees
const redrawn = (share) => `rgba(67, 56, 202, ${0.12 + 0.28 * share})`; // a token, by its share

/** Tokens of the window that the model sees: places, sizes and painted shares. */
export const tokensUnder = (mask, model, [rows, columns]) => {
  const window = mask.window(model);
  if (!window) return { window, tokens: [] };
  const [width, height] = [window.width / columns, window.height / rows];
  const tokens = Array.from({ length: rows * columns }, (_, index) => {
    const left = window.left + (index % columns) * width;
    const top = window.top + Math.floor(index / columns) * height;
    const cell = { left, top, width, height };
    return { ...cell, share: mask.share(cell) };
  });
  return { window, tokens };
};

/** A pen for a board that is as fine as the screen, in the screen's pixels. */
export const cleanPen = (board, { width, height }) => {
  const fine = window.devicePixelRatio || 1;
  board.width = Math.max(1, Math.round(width * fine));
  board.height = Math.max(1, Math.round(height * fine));
  const pen = board.getContext("2d");
  pen.scale(fine, fine);
  return pen;
};

export const drawTokens = (pen, view, { window, tokens }) => {
  const box = ({ left, top, width, height }) => [
    view.left + left * view.scale,
    view.top + top * view.scale,
    width * view.scale,
    height * view.scale,
  ];
  pen.strokeStyle = GRID_LINE;
  for (const token of tokens) {
    pen.strokeRect(...box(token));
    if (token.share > 0) {
      pen.fillStyle = redrawn(token.share);
      pen.fillRect(...box(token));
    }
  }
  pen.strokeStyle = GRID_FRAME;
  pen.lineWidth = 2;
  pen.strokeRect(...box(window));
};

/** The line of the lasso so far, in pixels of the picture. */
export const drawLasso = (pen, view, points) => {
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(view.left + x * view.scale, view.top + y * view.scale);
  pen.closePath();
  pen.lineWidth = 3;
  pen.strokeStyle = "white";
  pen.stroke();
  pen.lineWidth = 1.5;
  pen.strokeStyle = "rgb(225, 29, 72)";
  pen.stroke();
};
