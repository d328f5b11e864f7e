/** Tell `act` whether a button is held: by finger, mouse or key. */
export const whileHeld = (button, act) => {
  for (const kind of ["pointerdown", "keydown"]) {
    button.addEventListener(kind, (event) => {
      if (event.key === undefined || event.key === "Enter" || event.key === " ") act(true);
    });
  }
  for (const kind of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) {
    button.addEventListener(kind, () => act(false));
  }
};
