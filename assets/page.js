() => {
  const press = (id) => document.querySelector(`#${id}`)?.click();
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      press("generate");
    } else if (event.key === "Escape" && !document.querySelector("[role=listbox]")) {
      press("stop");
    }
  });
  window.varStudioLink = (names, values) => {
    const query = new URLSearchParams();
    names.forEach((name, index) => {
      const value = values[index];
      if (value !== "" && value !== null) query.set(name, String(value));
    });
    const address = `${location.origin}${location.pathname}?${query}`;
    history.replaceState(null, "", address);
    navigator.clipboard?.writeText(address).catch(() => {});
  };
}
