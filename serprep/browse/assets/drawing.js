"use strict";
/* Pictures on canvases, and elements whose text is only ever text. */

const PALETTE = ["#1f77b4", "#d9730d", "#2a9d4a", "#c43c39", "#8a63c0", "#8c564b", "#d65fae", "#6f7680", "#a4a21a", "#159aa8"];
const STOPS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis
const GREY = packed(rgb("#888888")); // of what has no colour

function element(tag, text, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  if (text !== null && text !== undefined && text !== "") made.textContent = String(text);
  made.append(...children);
  return made;
}

function plainTable(heads, rows, numeric = []) {
  const cell = (tag, value, place) => {
    const made = value instanceof Node ? element(tag, null, {}, value) : element(tag, value);
    if (numeric.includes(place)) made.classList.add("number");
    made.dir = "auto";
    return made;
  };
  const head = element("thead", null, {}, element("tr", null, {}, ...heads.map((name, place) => cell("th", name, place))));
  const body = element("tbody", null, {}, ...rows.map((row) => element("tr", null, {}, ...row.map((value, place) => cell("td", value, place)))));
  return element("div", null, { className: "scroll", tabIndex: 0 }, element("table", null, { className: "plain" }, ...(heads.length ? [head] : []), body));
}

function ink(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function shade(share) {
  const place = Math.max(0, Math.min(0.9999, share)) * (STOPS.length - 1), low = Math.floor(place), rest = place - low;
  return STOPS[low].map((value, i) => Math.round(value + (STOPS[low + 1][i] - value) * rest));
}

function rgb(hex) { return [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16)); }

/* A colour without its opacity, as the pixels of an image hold it: lowest byte first, as on every machine of today. */
function packed([red, green, blue]) { return blue << 16 | green << 8 | red; }

/* A context in CSS pixels, sharp on any screen. */
function context(canvas, height) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || 300;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const made = canvas.getContext("2d");
  made.setTransform(ratio, 0, 0, ratio, 0, 0);
  made.clearRect(0, 0, width, height);
  return [made, width];
}

/* The log-mel frames, and below them a bracket for each segment; starts of the shortest cross the picture. */
function drawPicture(canvas, picture) {
  const strip = 16, tall = 130, height = tall + picture.segments.length * strip + 4;
  const [drawn, width] = context(canvas, height), bytes = Uint8Array.from(atob(picture.bytes), (sign) => sign.charCodeAt(0));
  const image = new ImageData(picture.n_known, picture.n_bands), pixels = new Uint32Array(image.data.buffer);
  const colours = Array.from({ length: 256 }, (_, level) => packed(shade(level / 255)) | 0xff000000);
  for (let frame = 0; frame < picture.n_known; frame++) {
    for (let band = 0; band < picture.n_bands; band++) {
      pixels[(picture.n_bands - 1 - band) * picture.n_known + frame] = colours[bytes[frame * picture.n_bands + band]];
    }
  }
  const whole = Math.max(picture.n_frames, ...picture.segments.map((s) => (s.n - 1) * s.hop + s.length)), scale = width / whole;
  const still = element("canvas", null, { width: picture.n_known, height: picture.n_bands });
  still.getContext("2d").putImageData(image, 0, 0);
  drawn.imageSmoothingEnabled = false;
  drawn.drawImage(still, 0, 0, picture.n_known * scale, tall);
  drawn.font = "11px system-ui";
  picture.segments.forEach((segment, row) => {
    for (let k = 0; k < segment.n; k++) {
      const from = k * segment.hop * scale, to = (k * segment.hop + segment.length) * scale, y = tall + 4 + row * strip + (k % 2) * 6;
      drawn.strokeStyle = PALETTE[row % PALETTE.length];
      drawn.lineWidth = 2;
      drawn.beginPath();
      drawn.moveTo(from + 1, y + 4); drawn.lineTo(from + 1, y); drawn.lineTo(to - 1, y); drawn.lineTo(to - 1, y + 4);
      drawn.stroke();
      drawn.strokeStyle = row ? "rgba(255,255,255,.25)" : "rgba(255,255,255,.5)";
      drawn.lineWidth = 1;
      drawn.setLineDash(row ? [3, 3] : []);
      drawn.strokeRect(from + .5, row * 2 + .5, to - from - 1, tall - row * 4 - 1);
      drawn.setLineDash([]);
    }
  });
}

function drawContour(canvas, values) {
  const [drawn, width] = context(canvas, 48), known = values.filter((value) => value !== null);
  const low = Math.min(...known), span = Math.max(...known) - low || 1;
  drawn.strokeStyle = ink("--accent");
  drawn.beginPath();
  let gap = true;
  values.forEach((value, i) => {
    if (value === null) { gap = true; return; }
    const x = (i + .5) / values.length * width, y = 45 - (value - low) / span * 42;
    if (gap) drawn.moveTo(x, y); else drawn.lineTo(x, y);
    gap = false;
  });
  drawn.stroke();
}

/* Where each point of a map lies, in CSS pixels. */
function layPlane(canvas, x, y) {
  const tall = 320, [, width] = context(canvas, tall), edge = 8;
  const scaled = (values, first, last) => {
    let low = Infinity, high = -Infinity;
    for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
    return values.map((value) => first + (value - low) / (high - low || 1) * (last - first));
  };
  return [scaled(x, edge, width - edge), scaled(y, tall - edge, edge)];
}

/* Points of a map, as pixels: 50 000 shapes would take a canvas longer than a reader waits. */
function drawPlane(canvas, [px, py], colours, shown, chosen) {
  const drawn = canvas.getContext("2d"), wide = canvas.width, ratio = drawn.getTransform().a, size = Math.round((px.length > 5000 ? 2 : 4) * ratio);
  const image = drawn.createImageData(wide, canvas.height), pixels = new Uint32Array(image.data.buffer);
  for (const pass of [0, 1]) {
    const opacity = pass ? 0xcc000000 : 0x40000000;
    for (let i = 0; i < px.length; i++) {
      if ((shown ? shown[i] : 1) !== pass) continue;
      const corner = Math.round(py[i] * ratio - size / 2) * wide + Math.round(px[i] * ratio - size / 2), colour = colours[i] | opacity;
      for (let row = 0; row < size; row++) for (let column = 0; column < size; column++) pixels[corner + row * wide + column] = colour;
    }
  }
  drawn.putImageData(image, 0, 0);
  if (chosen !== null && chosen < px.length) {
    drawn.strokeStyle = ink("--ink");
    drawn.lineWidth = 2;
    drawn.beginPath();
    drawn.arc(px[chosen], py[chosen], 7, 0, 7);
    drawn.stroke();
  }
}
