/** Give a picture file to the button that opens one. */
export const openFile = (files) => {
  const picture = [...files].find((file) => file.type.startsWith("image/"));
  const input = document.querySelector("#edit-files input[type=file]");
  if (!picture || !input) return;
  const chosen = new DataTransfer();
  chosen.items.add(picture);
  input.files = chosen.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
};

/** Open what is dropped on the painter, or pasted while it is in view. */
export const takeFiles = (painter) => {
  painter.addEventListener("dragover", (event) => event.preventDefault());
  painter.addEventListener("drop", (event) => {
    event.preventDefault();
    openFile(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (painter.offsetParent) openFile(window.varStudio.pasted(event));
  });
};
