// The page's own address names what is drawn and the tab that is open, and nothing else changes it.
const OF_SHEET = ["rows", "columns"];
const OF_PICTURES = ["seed", "kept", ...OF_SHEET]; // an address with one of these names pictures
const hasAny = (query, names) => names.some((name) => query.has(name));
const isOfPage = (name) => name === "tab" || name.startsWith("__"); // not of the picture

const pictureQuery = (search) => {
  const pairs = [...new URLSearchParams(search)].filter(([name]) => !isOfPage(name));
  return new URLSearchParams(pairs).toString();
};

const addressOf = (query, tab) => {
  const next = new URLSearchParams(query);
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (name.startsWith("__")) next.set(name, value);
  }
  if (tab) next.set("tab", tab);
  const text = next.toString();
  return text ? `${location.pathname}?${text}` : location.pathname;
};

const tabNow = () => new URLSearchParams(location.search).get("tab") ?? "";

/** Let the address name a drawing; a step in the browser's history, unless it names it already. */
const showAddress = (query) => {
  if (pictureQuery(location.search) === pictureQuery(query)) return;
  history.pushState(null, "", addressOf(query, tabNow()));
};

const copyLink = (query, says, tab = tabNow()) => {
  const address = `${location.origin}${location.pathname}?${query}${tab ? `&tab=${tab}` : ""}`;
  const copied = navigator.clipboard?.writeText(address) ?? Promise.reject(new Error("no"));
  copied.then(
    () => window.varStudio.notify(says || "Link copied: it opens this page and draws this picture"),
    () => window.varStudio.notify(`Copy this link: ${address}`),
  );
};

const tabButtons = () => [...document.querySelectorAll("#tabs [role=tab][data-tab-id]")];
const column = () => document.querySelector("#stage-column");
const isEditing = () => column()?.dataset.mode === "edit";
/** In Draw: show the canvas of an edit in the place of the stage, or the stage. */
const showCanvas = (shows) => {
  if (!column() || isEditing() === shows) return;
  column().dataset.mode = shows ? "edit" : "";
  noteTab();
};

/** Open a tab, or "edit", which is a mode of Draw. */
const openTab = (wanted) => {
  const name = wanted === "edit" ? "draw" : wanted || "draw";
  if (name === "draw") showCanvas(wanted === "edit");
  const button = tabButtons().find((one) => one.dataset.tabId === name);
  if (button && button.getAttribute("aria-selected") !== "true") button.click();
};

/** Forget the links that wait; what is opened now takes their place. */
const forgetLinks = () => Object.values(window.varStudio.runs).forEach((one) => one.forgetLink());

/** Draw what a query names: a sheet in Compare, pictures in Draw. */
const open = (query) => {
  forgetLinks();
  const isSheet = hasAny(query, OF_SHEET);
  const isBuilt = Boolean(window.varStudio.drawSheet);
  if (isSheet && !isBuilt) window.varStudio.wantedSheet = query; // until the tab is built
  openTab(isSheet ? "compare" : "draw");
  if (!isSheet) window.varStudio.stage?.open(query);
  else if (isBuilt) window.varStudio.drawSheet(query);
};

/** Show what the address names: after a step back or forth, and when the page is opened. */
const followAddress = () => {
  const query = new URLSearchParams(location.search);
  if (hasAny(query, OF_PICTURES)) return open(query);
  forgetLinks();
  window.varStudio.stage?.clear();
  return openTab(query.get("tab"));
};
window.addEventListener("popstate", followAddress);

const noteTab = () => {
  const chosen = tabButtons().find((one) => one.getAttribute("aria-selected") === "true");
  const name = chosen?.dataset.tabId ?? "draw";
  const ofDraw = isEditing() ? "edit" : "";
  const tab = name === "draw" ? ofDraw : name;
  if (tab !== tabNow()) history.replaceState(null, "", addressOf(pictureQuery(location.search), tab));
};
const row = document.querySelector("#tabs");
if (row) {
  const changed = { attributes: true, attributeFilter: ["aria-selected"], subtree: true };
  new MutationObserver(noteTab).observe(row, changed);
  row.addEventListener("click", (event) => {
    const button = event.target.closest("[role=tab]");
    const isOpen = button?.getAttribute("aria-selected") === "true";
    if (isOpen && button.dataset.tabId === "draw") showCanvas(false); // back to the pictures
  }, true);
}
const shared = { showAddress, copyLink, open, openTab, showCanvas, followAddress };
window.varStudio = { ...window.varStudio, ...shared };
