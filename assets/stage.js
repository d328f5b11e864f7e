// The pictures of a drawing: what the server tells about it, line by line, and what people do.
const part = (name) => element.querySelector(`[data-part=${name}]`);
const MOST = Math.min(768, Math.max(448, 2.5 * Math.max(...MODEL.shape))); // pixels of the large picture

const WIDE = 620; // pixels from which there is room for two columns
const box = element.querySelector(".stage");

let drawing = null;
let before = null; // the drawing that was here, until a new one has its first scale
let read = "";
let wanted = ""; // the tab that a link asks for

const isForming = () => Boolean(drawing) && !drawing.hasEnded;
const last = () => (drawing.hasEnded ? drawing.scale : drawing.previews.length);
const nameOf = (place) => {
  const { captions, words, seeds } = drawing;
  const isTold = words[place] && new Set(words).size > 1; // else it tells none of them apart
  return captions[place] || (isTold ? words[place] : `seed ${seeds[place]}`);
};

/** The picture of a place after a scale, the best that there is. */
const pictureAt = (place, scale) =>
  drawing.frames[place]?.urls[scale - 1] ?? drawing.previews[scale - 1]?.[place];
/** What was made of a picture by editing it; it takes the place of the last scale. */
const editAt = (place, scale) => scale === drawing.scale && drawing.edits[place];
const largeAt = (place, scale) =>
  editAt(place, scale)?.picture ||
  (drawing.files && scale === drawing.scale && drawing.files[place]?.[0]) ||
  pictureAt(place, scale);

/** Whether something can be done with a picture as it is now. */
const can = (what, place = drawing?.place) => {
  if (what === "draw") return null; // it is here
  if (what === "move" && !window.varStudio.clip) return null; // there is no model of clips
  if (!drawing?.shown) return false;
  if (what === "open") return true;
  if (isForming() || !drawing.files) return false;
  if (what === "copy") return Boolean(drawing.queries[place]);
  if (what === "rest" || what === "prompt") {
    return drawing.at < drawing.shapes.length && !drawing.isSmooth;
  }
  return what === "vary" ? !drawing.isSmooth || Boolean(editAt(place, drawing.at)) : true;
};
/** Whether something draws on the stage: an edited picture is varied where it was edited. */
const drawsHere = (what, place = drawing?.place) =>
  what === "again" || (what === "vary" && !editAt(place, drawing.at));

const stateNow = () => {
  if (!drawing) return "empty";
  return drawing.hasEnded && drawing.shown >= last() ? "drawn" : "forming";
};

const show = () => {
  Object.assign(box.dataset, { state: stateNow(), run: String(drawing?.run ?? 0) });
  part("welcome").hidden = Boolean(drawing);
  part("body").hidden = !drawing;
  if (!drawing) return;
  const { place, at, shown } = drawing;
  const large = part("large");
  const url = shown ? largeAt(place, at) : "";
  large.hidden = !url;
  if (url && large.getAttribute("src") !== url) large.src = url;
  large.alt = url ? `${nameOf(place)}, after scale ${at} of ${drawing.shapes.length}` : "";
  part("open").setAttribute("aria-label", url ? `Open ${nameOf(place)} at full size` : "Forming");
  part("open").setAttribute("aria-busy", String(isForming()));
  part("open").disabled = !url;
  const names = drawing.seeds.map((_, index) => nameOf(index));
  const now = drawing.seeds.map((_, index) => shown && largeAt(index, shown));
  tiles.show(now, names, place, isForming());
  const scales = Array.from({ length: shown }, (_, index) => pictureAt(place, index + 1));
  const sketches = drawing.frames[place]?.sketches ?? (isForming() ? shown : shown - 1);
  scrubber.show(
    scales.map((one, index) => editAt(place, index + 1)?.picture ?? one ?? largeAt(place, index + 1)),
    sketches,
    at,
  );
  part("words").textContent = drawing.words[place] || drawing.captions[place] || "";
  const edited = editAt(place, at);
  part("seed").textContent = edited ? `Edited: ${edited.words}` : `Seed ${drawing.seeds[place]}`;
  part("play").disabled = isForming() || shown < 2;
  part("play").textContent = player.isRunning ? "Pause" : "Play";
  part("sheet").hidden = drawing.seeds.length < 2;
  part("save-sheet").disabled = !drawing.sheet;
  part("copy-all").disabled = isForming() || !drawing.query;
  element.querySelectorAll("button[data-act]").forEach((button) => {
    button.disabled = !can(button.dataset.act);
  });
  element.querySelector("#move").hidden = can("move") === null;
  const { dataset } = element.querySelector("#vary-one");
  if (drawsHere("vary")) dataset.draws = "vary";
  else delete dataset.draws;
  element.querySelector("#redraw").title = `Keep scales 1 to ${at}, draw the rest with another seed`;
};

const look = (scale) => {
  player.stop();
  drawing.at = scale;
  drawing.follows = false;
  show();
  const known = drawing.frames[drawing.place];
  if (!isForming() && drawing.files && (!known || scale <= known.sketches)) askFrames();
};

/** Ask once for the true decodes of the picture that is looked at. */
const askFrames = () => {
  const { run, place, asked } = drawing;
  if (asked === place) return;
  drawing.asked = place;
  trigger("look_at", { place, run });
};

const select = (place) => {
  if (!drawing.shown || place < 0 || place >= drawing.seeds.length) return;
  player.stop();
  drawing.place = place;
  drawing.asked = -1;
  trigger("pick", { place });
  show();
  if (drawing.files && !drawing.frames[place]) askFrames();
};

/** The file of a picture as it is seen, and its name. */
const fileOf = (place) => {
  const edited = editAt(place, drawing.at);
  return edited ? [edited.file, edited.name] : drawing.files[place];
};
const save = ([href, download]) => {
  Object.assign(document.createElement("a"), { href, download }).click();
};
/** Save all pictures as one, the edited ones among them. */
const saveSheet = async () => {
  const [sheet, name] = drawing.sheet;
  if (!Object.keys(drawing.edits).length) return save([sheet, name]);
  const urls = drawing.files.map(([url], place) => drawing.edits[place]?.file ?? url);
  const made = await window.varStudio.makeSheet(urls);
  save([made, name]);
  return setTimeout(() => URL.revokeObjectURL(made), 60_000);
};

/** Turn a picture into the canvas of an edit, or go on with its edit. */
const edit = (picture) => {
  const edited = editAt(picture.place, drawing.at);
  if (edited) window.varStudio.editor.go(edited.current);
  else trigger("edit_one", picture);
};
const vary = (picture) => {
  const edited = editAt(picture.place, drawing.at);
  if (edited) window.varStudio.editor.vary(edited.current);
  else trigger("vary", picture);
};

/** Set a picture in motion, below the stage. */
const move = (picture) => {
  const { place, scale } = picture;
  const version = editAt(place, scale)?.current;
  window.varStudio.clip.open({ place, scale, version, url: largeAt(place, scale), name: nameOf(place) });
};

const copy = (place) => {
  const says = editAt(place, drawing.at) ? "Link copied: it draws this picture as it was before the edit" : "";
  window.varStudio.copyLink(drawing.queries[place], says);
};
const copyAll = () => {
  const isEdited = Object.keys(drawing.edits).length;
  const says = isEdited ? "Link copied: it draws these pictures as they were before the edits" : "";
  window.varStudio.copyLink(drawing.query, says);
};

/** Do what a button or a key asks of a picture. */
const act = (what, place = drawing.place) => {
  if (what === "select" || what === "press") return select(place);
  if (!can(what, place)) return undefined;
  if (place !== drawing.place) select(place);
  const picture = { place, scale: drawing.at, run: drawing.run };
  if (what === "save") save(fileOf(place));
  else if (what === "copy") copy(place);
  else if (what === "edit") edit(picture);
  else if (what === "look") trigger("look_inside", { ...picture, version: editAt(place, drawing.at)?.current });
  else if (what === "open") enlarge(place);
  else if (what === "animate") trigger("animate", picture);
  else if (what === "again") trigger("again", picture);
  else if (what === "vary") vary(picture);
  else if (what === "move") move(picture);
  else if (what === "rest") trigger("rest", picture);
  else if (what === "prompt") trigger("prompt", picture);
  return undefined;
};

const tiles = window.varStudio.makeTiles(element.querySelector("#tiles"), part("menu"), act, can, drawsHere);
const enlarge = window.varStudio.makeLightbox(part("lightbox"), () => ({
  names: drawing.seeds.map((_, place) => nameOf(place)),
  url: (place) => largeAt(place, drawing.at),
  on: select,
}));
const scrubber = window.varStudio.makeScrubber(part("strip"), look);

new ResizeObserver(([entry]) => {
  box.toggleAttribute("data-wide", entry.contentRect.width >= WIDE);
}).observe(element);

// the pace at which scales are shown, while a picture forms and when it is played
const pace = part("pace");
const remembered = window.varStudio.recall("var-studio-pace");
if ([...pace.options].some((one) => one.value === remembered)) pace.value = remembered;
else pace.value = "150";
pace.addEventListener("change", () => window.varStudio.keep("var-studio-pace", pace.value));

/** Show the scales up to one. */
const reach = (scale) => {
  if (!drawing.shown) {
    before = null;
    // after a step back meanwhile the address names what comes next
    if (drawing.query && !window.varStudio.runs.status.hasLink) window.varStudio.showAddress(drawing.query);
  }
  drawing.shown = scale;
  if (drawing.follows) drawing.at = scale;
  show();
};
const forming = window.varStudio.makeClock(
  () => Number(pace.value),
  () => {
    if (!drawing || drawing.shown >= last()) return undefined;
    reach(drawing.shown + 1);
    return drawing.shown < last();
  },
);

const player = window.varStudio.makeClock(
  () => Math.max(Number(pace.value), 80),
  () => {
    if (!drawing || drawing.at >= drawing.shown) return undefined;
    drawing.at += 1;
    const goesOn = drawing.at < drawing.shown;
    setTimeout(show); // when the clock knows whether it goes on
    return goesOn;
  },
);

const play = () => {
  if (player.isRunning) {
    player.stop();
    return show();
  }
  const known = drawing.frames[drawing.place];
  if (!known || known.sketches) askFrames();
  if (drawing.at >= drawing.shown) drawing.at = 0;
  return player.run();
};

/** Make room for the pictures and scales of a drawing. */
const build = ({ seeds, captions, shapes }) => {
  tiles.build(seeds.map((seed, place) => captions[place] ?? `seed ${seed}`));
  scrubber.build(shapes);
};

const begin = (line) => {
  player.stop();
  window.varStudio.clip?.leave(); // its picture is no longer here
  if (!before) before = drawing;
  drawing = {
    ...line,
    words: [],
    previews: [],
    frames: {},
    files: null,
    queries: [],
    edits: {}, // versions of its pictures, by their places
    place: 0,
    at: 0,
    shown: 0,
    asked: -1,
    follows: true,
    hasEnded: false,
    wanted, // the tab that shows its picture
  };
  wanted = "";
  box.style.setProperty("--most", `${MOST}px`);
  build(line);
  window.varStudio.showCanvas(false); // an edit may be in the place of the stage
};

/** Show another drawing, or none. */
const bring = (other) => {
  drawing = other;
  before = null;
  if (drawing) build(drawing);
};

const end = (line) => {
  const isTold = drawing.hasEnded && drawing.files; // a text that is read again
  Object.assign(drawing, line, { hasEnded: true, isSmooth: line.smooth, isDrawn: line.is_drawn });
  if (isTold) return;
  const { query, words, files, is_drawn: isDrawn } = drawing;
  if (isDrawn && query) {
    const said = words.map((one, place) => one || `seed ${drawing.seeds[place]}`);
    const detail = { query, words: said, files, model: MODEL.name };
    document.dispatchEvent(new CustomEvent("var-drawn", { detail }));
  }
};

const take = (line) => {
  if (line.open) return window.varStudio.open(new URLSearchParams(line.open));
  if (line.count) return line.run === drawing?.run ? undefined : begin(line);
  if (!drawing || (line.run && line.run !== drawing.run)) return undefined;
  if (line.nothing) {
    if (!drawing.shown && !drawing.previews.length) bring(before);
  } else if (line.pictures) {
    drawing.previews[line.scale - 1] = line.pictures;
    drawing.words = line.words;
  } else if (line.files) {
    const { run } = drawing;
    end({ ...line, run });
  } else if (line.frames) {
    drawing.frames[line.place] = { urls: line.frames, sketches: line.sketches };
    if (line.sketches) drawing.asked = -1;
  }
  return undefined;
};

watch("value", () => {
  const text = props.value ?? "";
  const fresh = text.startsWith(read) ? text.slice(read.length) : text;
  read = text;
  for (const line of fresh.split("\n")) if (line) take(JSON.parse(line));
  show();
  forming.run();
  if (drawing?.isDrawn && drawing.wanted) {
    const what = drawing.wanted;
    drawing.wanted = "";
    drawing.follows = true;
    reach(last()); // what was asked for is the picture, however far the clock has come
    act(what === "edit" ? "edit" : "look");
  }
});

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { act: what, part: name } = button.dataset;
  if (what) act(what);
  else if (name === "open") act("open");
  else if (name === "play") play();
  else if (name === "copy-all") copyAll();
  else if (name === "save-sheet") saveSheet();
  else if (name === "surprise") document.querySelector("#generate")?.click();
  else if (name === "photo") window.varStudio.openTab("edit");
});
// a drawing that ended without a word about it: what there is stays
document.addEventListener("var-idle", (event) => {
  if (event.detail !== "status" || !isForming()) return;
  if (drawing.previews.length) drawing.hasEnded = true;
  else bring(before);
  if (drawing && !drawing.scale) drawing.scale = drawing.previews.length;
  show();
});

// who presses something meanwhile wants something else
const wantNothing = () => {
  wanted = "";
  if (drawing) drawing.wanted = "";
};
document.addEventListener("click", wantNothing, true);
const stage = {
  /** Draw what a query names. */
  open(query) {
    const tab = query.get("tab") ?? "";
    const isLater = ["edit", "inside"].includes(tab); // once its picture is there
    window.varStudio.openTab(isLater ? "" : tab);
    window.varStudio.runs.status.openLink(() => {
      wanted = isLater ? tab : "";
      trigger("open_link", { query: Object.fromEntries(query) });
    });
  },
  /** Draw an example that nobody asked for. */
  demo(place) {
    trigger("demo", { place });
  },
  /** Show a version of a picture that is edited in the place of the picture; keep what is new. */
  showVersion(version, isNew) {
    const { source, file, name, words, isEdited } = version;
    const [run, place] = source ?? [];
    if (drawing && run === drawing.run) {
      if (isEdited) drawing.edits[place] = version;
      else delete drawing.edits[place];
      show();
    }
    if (!isNew) return;
    const detail = { query: "", words: [`Edited: ${words}`], files: [[file, name]], model: MODEL.name };
    document.dispatchEvent(new CustomEvent("var-drawn", { detail }));
  },
  clear() {
    bring(null);
    show();
  },
};
window.varStudio = { ...window.varStudio, stage };
show();
