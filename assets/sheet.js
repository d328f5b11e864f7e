// A sheet that compares two settings: its cells form in place, between the words of both sides.
const part = (name) => element.querySelector(`[data-part=${name}]`);
const { makeTiles, makeLightbox, makeClock } = window.varStudio;
const cells = part("cells");
let sheet = null; // what is drawn, or what would be
let before = null; // what was here, until a new one has its first scale
let read = "";

const urlAt = (place) => sheet.files?.[place]?.[0] ?? sheet.scales[sheet.shown - 1]?.[place];

/** Whether something can be done with a picture; null for what is done elsewhere. */
const can = (what, place) => {
  if (["again", "vary", "move"].includes(what)) return null;
  if (what === "open") return Boolean(urlAt(place));
  return Boolean(what === "save" ? sheet.files : sheet.queries?.[place]);
};
const act = (what, place) => {
  if (what === "press" && can("open", place)) enlarge(place);
  if (what === "press" || !can(what, place)) return;
  if (what === "open") enlarge(place);
  else if (what === "copy") window.varStudio.copyLink(sheet.queries[place], "", "");
  else if (what === "save") {
    const link = document.createElement("a");
    [link.href, link.download] = sheet.files[place];
    link.click();
  } else {
    const query = new URLSearchParams(sheet.queries[place]);
    if (what !== "draw") query.set("tab", what === "edit" ? "edit" : "inside");
    window.varStudio.open(query);
  }
};
const tiles = makeTiles(cells, part("menu"), act, can);
const enlarge = makeLightbox(part("lightbox"), () => ({ names: sheet.captions, url: urlAt }));

const show = () => {
  const now = sheet.captions.map((_, place) => urlAt(place));
  tiles.show(now, sheet.captions, -1, Boolean(sheet.run) && !sheet.hasEnded);
  part("after").hidden = !sheet.files;
  const [url, name] = sheet.sheet ?? [];
  if (url) Object.assign(part("save-sheet"), { href: url, download: name });
  part("save-sheet").hidden = !url;
  part("copy-all").disabled = !sheet.query;
};

const put = (node, row, column) => {
  node.style.setProperty("--row", String(row));
  node.style.setProperty("--column", String(column));
  return node;
};

/** Empty cells, with the words of both sides before and above them. */
const build = () => {
  const { axes, captions } = sheet;
  tiles.build(captions);
  const across = axes[1]?.length ?? captions.length;
  cells.dataset.columns = String(across);
  cells.style.setProperty("--across", String(across));
  cells.style.setProperty("--down", String(Math.ceil(captions.length / across)));
  cells.toggleAttribute("data-long", across > (axes[0]?.length ?? 0));
  [...cells.children].forEach((figure, place) => {
    put(figure, 2 + Math.floor(place / across), 2 + (place % across));
  });
  const heads = axes.flatMap((words, side) =>
    words.map((one, index) => {
      const head = document.createElement("div");
      head.className = "head";
      head.textContent = one;
      return side ? put(head, 1, index + 2) : put(head, index + 2, 1);
    }),
  );
  cells.prepend(...heads);
};

const runOf = () => window.varStudio.runs["compare-status"];
const clock = makeClock(
  () => Number(window.varStudio.recall("var-studio-pace")) || 150,
  () => {
    if (!sheet || sheet.shown >= sheet.scales.length) return undefined;
    if (!sheet.shown && sheet.query && !runOf().hasLink) window.varStudio.showAddress(sheet.query);
    sheet.shown += 1;
    show();
    return sheet.shown < sheet.scales.length;
  },
);

/** Show what was here before a sheet that has no scale. */
const bringBack = () => {
  if (!sheet?.run || sheet.hasEnded || sheet.scales.length) return;
  sheet = before;
  build();
};

const take = (line) => {
  if (line.plan) {
    if (sheet?.run) return; // what is drawn stays
    const [rows = [], columns = []] = line.plan;
    const captions = rows.flatMap((row) => columns.map((column) => `${row}, ${column}`));
    sheet = { axes: line.plan, captions, scales: [], shown: 0 };
    build();
  } else if (line.count) {
    if (line.run === sheet?.run) return; // a text that is read again
    if (!sheet?.run || sheet.scales.length) before = sheet;
    sheet = { ...line, scales: [], shown: 0 };
    build();
  } else if (line.nothing) {
    bringBack();
  } else if (line.pictures) {
    sheet.scales[line.scale - 1] = line.pictures;
  } else if (line.files) {
    const isTold = sheet.hasEnded && sheet.files; // a text that is read again
    Object.assign(sheet, line, { run: sheet.run, hasEnded: true });
    if (!line.is_drawn) sheet.sheet = null;
    else if (sheet.query && !isTold) {
      const detail = { query: sheet.query, words: sheet.captions, files: line.files, model: MODEL.name };
      document.dispatchEvent(new CustomEvent("var-drawn", { detail }));
    }
  }
};

const load = () => {
  const text = props.value ?? "";
  const fresh = text.startsWith(read) ? text.slice(read.length) : text;
  read = text;
  for (const line of fresh.split("\n")) if (line) take(JSON.parse(line));
  if (!sheet) return;
  show();
  clock.run();
};
watch("value", load);
load();

element.addEventListener("click", ({ target }) => {
  if (target === part("copy-all")) window.varStudio.copyLink(sheet.query);
});

// a sheet that ended without a word about it, as after a stop
document.addEventListener("var-idle", ({ detail }) => {
  if (detail !== "compare-status" || !sheet?.run) return;
  bringBack();
  sheet.hasEnded = Boolean(sheet.run);
  show();
});

const drawSheet = (query) =>
  runOf().openLink(() => trigger("open_link", { query: Object.fromEntries(query) }));
if (window.varStudio.wantedSheet) setTimeout(() => drawSheet(window.varStudio.wantedSheet));
window.varStudio = { ...window.varStudio, drawSheet };
