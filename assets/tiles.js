element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const place = Number(button?.dataset.look ?? button?.dataset.edit);
  if (button?.dataset.look) {
    element.querySelectorAll("[data-look]").forEach((one) => {
      one.setAttribute("aria-pressed", String(one === button));
    });
    trigger("look_at", { place });
  } else if (button?.dataset.edit) {
    trigger("edit_one", { place });
  }
});
