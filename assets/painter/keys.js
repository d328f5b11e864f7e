const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TYPED = "input, textarea, [role=listbox]"; // where keys are letters

/**
 * Keys of the painter while it is in view.
 * `keys` holds what single keys do; `hand` undoes, redoes, moves the picture, paints at the ring, and
 * compares.
 */
export const listenToKeys = (painter, board, keys, hand) => {
  const onBoard = (event) => {
    const arrow = ARROWS[event.key];
    if (event.target !== board || (!arrow && event.key !== "Enter")) return;
    event.preventDefault();
    if (arrow) hand.step(...arrow);
    else hand.dab(event.shiftKey);
  };
  document.addEventListener("keydown", (event) => {
    if (!painter.offsetParent || event.target.closest(TYPED)) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) hand.redo();
      else hand.undo();
    } else if (event.altKey) {
      return;
    } else if (key === " " && !event.target.closest("button, a")) {
      event.preventDefault();
      hand.moves(true);
    } else if (keys[key]) {
      keys[key]();
    } else {
      onBoard(event);
    }
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " ") hand.moves(false);
    if (event.key.toLowerCase() === "c") hand.compare(false);
  });
};
