"use strict";
/* Pictures on canvases, and elements whose text is only ever text. */

const PALETTE = ["#1f77b4", "#d9730d", "#2a9d4a", "#c43c39", "#8a63c0", "#8c564b", "#d65fae", "#6f7680", "#a4a21a", "#159aa8"];
const STOPS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis

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
  const image = new ImageData(picture.n_known, picture.n_bands);
  for (let frame = 0; frame < picture.n_known; frame++) {
    for (let band = 0; band < picture.n_bands; band++) {
      const place = 4 * ((picture.n_bands - 1 - band) * picture.n_known + frame);
      image.data.set([...shade(bytes[frame * picture.n_bands + band] / 255), 255], place);
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

/* Points of a map; returns where each lies, in CSS pixels. */
function drawPlane(canvas, x, y, colours, shown, chosen) {
  const tall = 320, [drawn, width] = context(canvas, tall), edge = 8;
  const range = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const [left, right] = range(x), [bottom, top] = range(y);
  const px = x.map((value) => edge + (value - left) / (right - left || 1) * (width - 2 * edge));
  const py = y.map((value) => tall - edge - (value - bottom) / (top - bottom || 1) * (tall - 2 * edge));
  const size = x.length > 5000 ? 2 : 4;
  for (const pass of [false, true]) {
    drawn.globalAlpha = pass ? .8 : .15;
    for (let i = 0; i < px.length; i++) {
      if (shown(i) !== pass) continue;
      drawn.fillStyle = colours[i];
      drawn.fillRect(px[i] - size / 2, py[i] - size / 2, size, size);
    }
  }
  drawn.globalAlpha = 1;
  if (chosen !== null && chosen < px.length) {
    drawn.strokeStyle = ink("--ink");
    drawn.lineWidth = 2;
    drawn.beginPath();
    drawn.arc(px[chosen], py[chosen], 7, 0, 7);
    drawn.stroke();
  }
  return [px, py];
}
