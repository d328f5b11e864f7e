// all pictures of a drawing in one, as var_core/jobs/contact_sheet.py puts them, where some were edited

const SHEET_GAP = 4; // pixels between the pictures

/** The address of a PNG with the pictures of some addresses, in rows on white. */
const makeSheet = async (urls) => {
  const pictures = urls.map((src) => Object.assign(new Image(), { src }));
  await Promise.all(pictures.map((one) => one.decode()));
  const across = pictures.length === 4 ? 2 : Math.min(4, pictures.length);
  const down = Math.ceil(pictures.length / across);
  const width = Math.max(...pictures.map((one) => one.naturalWidth)) + SHEET_GAP;
  const height = Math.max(...pictures.map((one) => one.naturalHeight)) + SHEET_GAP;
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [across * width - SHEET_GAP, down * height - SHEET_GAP];
  const pen = sheet.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pictures.forEach((one, place) => {
    pen.drawImage(one, (place % across) * width, Math.floor(place / across) * height);
  });
  return URL.createObjectURL(await new Promise((done) => sheet.toBlob(done)));
};
window.varStudio = { ...window.varStudio, makeSheet };
