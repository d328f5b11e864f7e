// the scales of a picture as a slider of thumbnails, and the clock that plays them

/** A slider over the scales; `look(scale)` is called when a person chooses one. */
const makeScrubber = (root, look) => {
  let shapes = [];
  let reached = 0;
  let chosen = 0;

  const mark = () => {
    [...root.children].forEach((cell, index) => {
      cell.toggleAttribute("data-chosen", index + 1 === chosen);
    });
    root.setAttribute("aria-valuemax", String(Math.max(reached, 1)));
    root.setAttribute("aria-valuenow", String(Math.max(chosen, 1)));
    const shape = shapes[chosen - 1];
    const text = shape ? `scale ${chosen} of ${shapes.length}, ${shape[1]} by ${shape[0]} tokens` : "none yet";
    root.setAttribute("aria-valuetext", text);
  };
  const choose = (scale) => {
    const next = Math.min(Math.max(scale, 1), reached);
    if (reached && next !== chosen) look(next);
  };
  const scaleAt = (event) => {
    const cells = [...root.children];
    const found = cells.findIndex((cell) => event.clientX < cell.getBoundingClientRect().right + 2);
    return found < 0 ? cells.length : found + 1;
  };

  root.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    root.setPointerCapture(event.pointerId);
    choose(scaleAt(event));
  });
  root.addEventListener("pointermove", (event) => {
    if (root.hasPointerCapture(event.pointerId)) choose(scaleAt(event));
  });
  root.addEventListener("keydown", (event) => {
    const places = {
      ArrowLeft: chosen - 1,
      ArrowDown: chosen - 1,
      ArrowRight: chosen + 1,
      ArrowUp: chosen + 1,
      Home: 1,
      End: reached,
    };
    if (!(event.key in places)) return;
    event.preventDefault();
    choose(places[event.key]);
  });

  return {
    /** Empty frames, one a scale. */
    build(all) {
      shapes = all;
      root.replaceChildren(
        ...all.map(([rows, columns], index) => {
          const cell = document.createElement("span");
          cell.dataset.scale = String(index + 1);
          const words = document.createElement("small");
          words.textContent = `${columns}×${rows}`;
          const frame = document.createElement("span");
          frame.className = "frame";
          cell.append(frame, words);
          cell.title = `Look at scale ${index + 1}: ${columns} by ${rows} tokens`;
          return cell;
        }),
      );
    },
    /** Show thumbnails; the first `sketches` of them are no true decodes yet. */
    show(urls, sketches, scale) {
      reached = urls.length;
      chosen = scale;
      [...root.children].forEach((cell, index) => {
        const frame = cell.firstChild;
        const url = urls[index];
        if (!url) return frame.replaceChildren();
        const image = frame.firstChild ?? document.createElement("img");
        if (image.getAttribute("src") !== url) image.src = url;
        image.draggable = false;
        image.decoding = "sync";
        image.alt = `${index < sketches ? "Sketch" : "Picture"} after scale ${index + 1}`;
        if (!frame.firstChild) frame.append(image);
        return undefined;
      });
      mark();
    },
  };
};

/** Calls `step` at least `pace()` milliseconds apart for as long as it returns true. */
const makeClock = (pace, step) => {
  let timer = 0;
  let last = -Infinity;
  const tick = () => {
    timer = 0;
    const wait = last + pace() - performance.now();
    if (wait > 0) {
      timer = setTimeout(tick, wait);
      return;
    }
    const goesOn = step();
    if (goesOn === undefined) return;
    last = performance.now();
    if (goesOn) timer = setTimeout(tick, pace());
  };
  return {
    run() {
      if (!timer) tick();
    },
    stop() {
      clearTimeout(timer);
      timer = 0;
    },
    get isRunning() {
      return timer !== 0;
    },
  };
};
window.varStudio = { ...window.varStudio, makeScrubber, makeClock };
