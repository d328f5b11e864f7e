// A picture of the stage set in motion: what is to happen, the clip as it forms and plays, its files.
const at = (name) => element.querySelector(`[data-part=${name}]`);
const panel = element.querySelector(".clip");
const screen = at("screen");
const [drawing, stopping] = ["clip-draw", "clip-stop"].map((id) => element.querySelector(`#${id}`));

let picture = null; // of the stage, which the clip begins with
let film = null; // its frames so far, side by side
let here = 0; // frame that is seen
let asked = 0; // films that were asked for, the newest one counts
let run = 0; // number of the clip
let isForming = false;
let isPaused = matchMedia("(prefers-reduced-motion: reduce)").matches;
let read = "";

const paint = () => {
  const { image, columns, frames } = film;
  const width = image.naturalWidth / columns;
  const height = image.naturalHeight / Math.ceil(frames / columns);
  const from = [(here % columns) * width, Math.floor(here / columns) * height];
  if (screen.width !== width || screen.height !== height) Object.assign(screen, { width, height });
  screen.getContext("2d").drawImage(image, ...from, width, height, 0, 0, width, height);
  Object.assign(screen.dataset, { frame: String(here + 1), frames: String(frames) });
};

const pace = () => 1000 / (MODEL.rate * Number(at("speed").value));
const step = () => {
  if (!film || film.frames < 2) return undefined;
  here = (here + 1) % film.frames;
  paint();
  return true;
};
let clock = null; // made by a script of the stage, which may come later

const show = () => {
  at("play").disabled = !film || film.frames < 2;
  at("play").textContent = isPaused ? "Play" : "Pause";
  panel.dataset.state = isForming ? "forming" : "still";
  screen.setAttribute("aria-busy", String(isForming));
};

/** Show other frames; those that play go on where they are. */
const showFilm = async ({ film: url, columns, frames }) => {
  const number = (asked += 1);
  const image = new Image();
  image.src = url;
  await image.decode();
  if (number !== asked) return;
  film = { image, columns, frames };
  here %= frames;
  paint();
  show();
  if (!isPaused) clock.run();
};

const offer = (files) => {
  at("files").replaceChildren(
    ...files.map(([href, download, kind]) => {
      const link = document.createElement("a");
      Object.assign(link, { href, download, className: "action", textContent: `Save as ${kind}` });
      return link;
    }),
  );
};

const take = (line) => {
  if (line.begins && isForming) run = line.run;
  if (line.run !== run) return;
  if (line.film) showFilm(line);
  if (line.files) {
    offer(line.files);
    isForming = false;
  }
};

watch("value", () => {
  const text = props.value ?? "";
  const fresh = text.startsWith(read) ? text.slice(read.length) : text;
  read = text;
  for (const line of fresh.split("\n")) if (line) take(JSON.parse(line));
  show();
});

const play = () => {
  isPaused = !isPaused;
  if (isPaused) clock.stop();
  else clock.run();
  show();
};

// the button is Animate again from here on, so Escape leaves, although the server goes on for a moment
const halt = () => {
  isForming = false;
  trigger("halt");
  show();
};

const stop = () => {
  if (isForming) stopping.click();
  isForming = false;
  run = 0;
};

const animate = () => {
  offer([]);
  isForming = true;
  run = 0;
  const { place, scale, version } = picture;
  const [words, frames] = [MODEL.takesWords ? at("words").value : "", Number(at("length").value)];
  trigger("move", { place, scale, version, words, frames, loop: at("loop").checked });
  show();
};

const clip = {
  /** Take a picture of the stage: its `place`, `scale` and `version`, its `url` and `name`. */
  open(chosen) {
    stop();
    clock ??= window.varStudio.makeClock(pace, step);
    picture = chosen;
    offer([]);
    at("name").textContent = picture.name;
    panel.hidden = false;
    showFilm({ film: picture.url, columns: 1, frames: 1 });
    panel.scrollIntoView({ block: "nearest" });
    (MODEL.takesWords ? at("words") : drawing).focus({ preventScroll: true });
  },
  leave() {
    stop();
    clock?.stop();
    panel.hidden = true;
  },
};

element.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button === drawing) animate();
  else if (button === stopping) halt();
  else if (button === at("play")) play();
  else if (button === at("close")) clip.leave();
});
element.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (isForming) stopping.click();
    else clip.leave();
  } else if (event.key === "Enter" && event.target === at("words")) {
    if (!isForming) drawing.click();
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation(); // it stops no drawing of the stage, and starts none
});
// a clip that ended without a word about it: what there is stays
document.addEventListener("var-idle", ({ detail }) => {
  if (detail !== "clip-status") return;
  isForming = false;
  show();
});

at("takes-words").hidden = !MODEL.takesWords;
at("length").replaceChildren(
  ...MODEL.lengths.map((frames) => new Option(`${(frames / MODEL.rate).toFixed(1)} s`, String(frames))),
);
window.varStudio = { ...window.varStudio, clip };
show();
