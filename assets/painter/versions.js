const thumbnail = ({ number, url, words }, current) => {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", title: words });
  made.dataset.version = String(number);
  if (number === current) made.setAttribute("aria-current", "true");
  made.append(Object.assign(document.createElement("img"), { src: url, alt: words }));
  return made;
};

/** Thumbnails of all versions of a picture; `go` is called with the number of the one that is chosen. */
export const makeVersions = (list, go) => {
  list.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-version]");
    if (chosen) go(Number(chosen.dataset.version));
  });
  return (versions, current) => {
    const items = versions.map((one) => {
      const item = document.createElement("li");
      if (one.starts) item.className = "starts";
      item.append(thumbnail(one, current));
      return item;
    });
    list.replaceChildren(...items);
    list.querySelector("[aria-current]")?.scrollIntoView?.({ block: "nearest" });
  };
};
