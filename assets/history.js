// Drawn so far: kept in this browser alone, with the files themselves, so that a reload loses nothing.
const part = (name) => element.querySelector(`[data-part=${name}]`);
const VERSION = 1;
const MOST_ENTRIES = 200;
const MOST_BYTES = 64_000_000;
const THUMBNAIL = 160; // pixels
const EMPTY = "What you draw is kept here, in this browser alone, until you delete it.";

let entries = []; // the oldest first
let armed = false; // whether a second click on Delete all deletes

/** The store of the browser; where there is none, entries last as long as the page. */
const opened = new Promise((done) => {
  const request = window.indexedDB?.open("var-studio", VERSION);
  if (!request) return done(null);
  request.addEventListener("upgradeneeded", () => {
    request.result.createObjectStore("drawn", { keyPath: "id", autoIncrement: true });
  });
  request.addEventListener("success", () => {
    request.result.addEventListener("versionchange", () => request.result.close());
    done(request.result);
  });
  request.addEventListener("error", () => done(null));
  request.addEventListener("blocked", () => done(null));
  return undefined;
}).catch(() => null);

const inStore = async (mode, work) => {
  const store = await opened;
  if (!store) return undefined;
  return new Promise((done, failed) => {
    const change = store.transaction("drawn", mode);
    const request = work(change.objectStore("drawn"));
    change.addEventListener("complete", () => done(request.result));
    change.addEventListener("abort", () => failed(change.error));
  });
};

const isEntry = (one) =>
  typeof one?.query === "string" &&
  typeof one.words === "string" &&
  typeof one.thumbnail === "string" &&
  one.thumbnail.startsWith("data:image/") &&
  Array.isArray(one.files) &&
  one.files.every((file) => typeof file.name === "string" && file.content instanceof Blob);

const bytesOf = (one) => one.files.reduce((sum, file) => sum + file.content.size, 0);
const remove = (gone) => {
  entries = entries.filter((one) => one !== gone);
  return inStore("readwrite", (store) => store.delete(gone.id));
};

const cell = (entry) => {
  const figure = document.createElement("figure");
  const draw = document.createElement("button");
  draw.type = "button";
  draw.dataset[entry.query ? "restore" : "reopen"] = String(entry.id);
  draw.title = entry.query ? `Draw again: ${entry.words}` : entry.words;
  const image = document.createElement("img");
  image.src = entry.thumbnail;
  image.alt = entry.words;
  draw.append(image);
  const away = document.createElement("button");
  away.type = "button";
  away.className = "delete";
  away.dataset.delete = String(entry.id);
  away.setAttribute("aria-label", `Delete ${entry.words}`);
  away.textContent = "×";
  figure.append(draw, away);
  if (entry.files.length > 1) {
    const count = document.createElement("span");
    count.className = "count";
    count.textContent = String(entry.files.length);
    figure.append(count);
  }
  return figure;
};

const show = (said = "") => {
  const typed = part("search").value.trim().toLowerCase();
  const found = entries.filter((one) => one.words.toLowerCase().includes(typed));
  part("shelf").replaceChildren(...found.toReversed().map(cell));
  element.querySelector(".drawn").toggleAttribute("data-empty", !entries.length);
  for (const name of ["search", "archive", "clear"]) part(name).disabled = !entries.length;
  part("clear").textContent = armed ? "Really delete all?" : "Delete all";
  const nothing = entries.length ? `Nothing here is called “${part("search").value.trim()}”.` : EMPTY;
  part("note").textContent = said || (found.length ? "" : nothing);
};

const thumbnailOf = async (blob) => {
  const picture = await createImageBitmap(blob);
  const scale = Math.min(1, THUMBNAIL / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.85);
};

const makeRoom = async () => {
  let bytes = entries.reduce((sum, one) => sum + bytesOf(one), 0);
  const gone = [];
  for (const [index, one] of entries.entries()) {
    const left = entries.length - index;
    if (left <= MOST_ENTRIES && (bytes <= MOST_BYTES || left === 1)) break;
    bytes -= bytesOf(one);
    gone.push(one);
  }
  await Promise.all(gone.map(remove));
};

const remember = async ({ query, words, files, model }) => {
  if (query && entries.some((one) => one.query === query)) return;
  const contents = await Promise.all(
    files.map(async ([url, name]) => ({ name, content: await (await fetch(url)).blob() })),
  );
  const thumbnail = await thumbnailOf(contents[0].content);
  const said = words.length > 1 ? `${words.length} pictures: ${[...new Set(words)].join("; ")}` : words[0];
  const entry = { query, words: said, files: contents, model, thumbnail, time: Date.now() };
  try {
    entry.id = await inStore("readwrite", (store) => store.add(entry));
  } catch {
    // no room: the entry lasts as long as the page
  }
  entry.id ??= -entries.length - 1;
  entries.push(entry);
  await makeRoom();
  show();
};

const load = async (model) => {
  const found = (await inStore("readonly", (store) => store.getAll())) ?? [];
  const good = found.filter(isEntry);
  entries = good.filter((one) => one.model === model);
  const skipped = found.length - good.length;
  show(skipped ? `${skipped} older entries could not be read and were skipped.` : "");
  return found.length;
};

const archive = async () => {
  const files = entries.flatMap((one) => one.files);
  const numbered = files.map(({ name, content }, index) => ({
    name: `${String(index + 1).padStart(3, "0")}-${name}`,
    content,
  }));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await window.varStudio.zip(numbered));
  link.download = "var-studio.zip";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

element.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { restore, reopen, delete: gone, part: name } = button.dataset;
  const entry = entries.find((one) => String(one.id) === (restore ?? reopen ?? gone));
  const wasArmed = armed;
  armed = name === "clear" && !armed;
  if (restore && entry) window.varStudio.open(new URLSearchParams(entry.query));
  if (reopen && entry) {
    const [{ content, name: file }] = entry.files;
    window.varStudio.editor.open(new File([content], file, { type: "image/png" }));
  }
  if (gone && entry) await remove(entry);
  if (name === "archive") await archive();
  if (name === "clear" && wasArmed) {
    await Promise.all(entries.map(remove));
  }
  if (!restore) show();
});
part("search").addEventListener("input", () => show());
document.addEventListener("var-drawn", (event) => remember(event.detail));
const loaded = load(MODEL.name);
window.varStudio = { ...window.varStudio, hasDrawn: async () => (await loaded) > 0 };
