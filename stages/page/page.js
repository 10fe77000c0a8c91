"use strict";

// What listed.py gives: the values of a picture in this order, its classes by their numbers.
const facts = JSON.parse(document.getElementById("facts").textContent);
const pictures = facts.pictures.map(
  ([name, actual, predicted, confidence, image, before = null, confidenceBefore = null]) =>
    ({ name, actual, predicted, confidence, image, before, confidenceBefore }));
const find = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(2)} %`;
const count = (number) => number.toLocaleString("en");
const title = (picture) => typeof picture.name === "number" ? `test image ${picture.name}` : picture.name;
const isRight = (picture) => picture.actual === picture.predicted;

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function named(label) {
  return element("span", { className: "name", textContent: facts.classes[label] });
}

// Where a long name of a file may go on in the next line.
function breakable(text) {
  return text.split(/(?<=[/_.-])/).flatMap((part) => [part, element("wbr")]);
}

function image(picture, into) {
  into.alt = "";
  into.hidden = !picture.image;
  if (picture.image) into.src = `data:image/webp;base64,${picture.image}`;
  into.onload = () => into.classList.toggle("coarse", into.naturalWidth < 64); // its pixels stay sharp
  return into;
}

function answer(picture) {
  const words = isRight(picture) ? [named(picture.actual), " found"] :
    [named(picture.actual), " taken for ", named(picture.predicted)];
  if (picture.before !== null && picture.before !== picture.predicted) words.push(", before ", named(picture.before));
  return element("span", { className: "answer" }, words);
}

function tile(picture, list) {
  const parts = [
    image(picture, element("img", { loading: "lazy" })),
    element("span", { className: "title name" }, breakable(title(picture))),
    answer(picture),
    element("span", { className: "confidence", textContent: percent(picture.confidence) }),
  ];
  const button = element("button", { type: "button", className: "tile" }, parts);
  button.addEventListener("click", () => viewer.open(list, picture));
  return element("li", {}, [button]);
}

// A list of pictures, of which a part is drawn: thousands at once would make the browser slow.
class List {
  constructor(id, step) {
    this.step = step; // pictures at first, and with each click on `more`
    this.place = find(id);
    this.more = find(`${id}-more`);
    this.more.addEventListener("click", () => {
      const first = this.drawn;
      this.draw(this.drawn + this.step);
      this.button(first).focus();
    });
  }

  show(shown) {
    this.pictures = shown;
    this.drawn = 0;
    this.place.replaceChildren();
    this.draw(this.step);
  }

  draw(until) {
    const added = this.pictures.slice(this.drawn, until);
    this.place.append(...added.map((picture) => tile(picture, this)));
    this.drawn += added.length;
    const left = this.pictures.length - this.drawn;
    this.more.hidden = left === 0;
    this.more.textContent = `Show ${count(Math.min(left, this.step))} more of ${count(left)}`;
  }

  button(place) {
    if (place >= this.drawn) this.draw(place + 1);
    return this.place.children[place].querySelector("button");
  }
}

const viewer = {
  dialog: find("picture"),

  open(list, picture) {
    this.list = list;
    this.place = list.pictures.indexOf(picture);
    this.draw();
    this.dialog.showModal();
  },

  draw() {
    const picture = this.list.pictures[this.place];
    find("picture-name").replaceChildren(...breakable(title(picture)));
    image(picture, find("picture-image")).alt = `The picture ${title(picture)}`;
    const answers = [["Actual class", named(picture.actual)], ["Taken for", named(picture.predicted)],
      ["Confidence", percent(picture.confidence)]];
    if (picture.before !== null) {
      answers.push([`Taken for by ${facts.base}`, named(picture.before)],
        [`Confidence of ${facts.base}`, percent(picture.confidenceBefore)]);
    }
    find("picture-facts").replaceChildren(...answers.map(([term, value]) =>
      element("div", {}, [element("dt", { textContent: term }), element("dd", {}, [value])])));
    find("picture-place").textContent = `${count(this.place + 1)} of ${count(this.list.pictures.length)}`;
    find("previous").disabled = this.place === 0;
    find("next").disabled = this.place === this.list.pictures.length - 1;
  },

  move(step) {
    const place = this.place + step;
    if (place < 0 || place >= this.list.pictures.length) return;
    const focused = document.activeElement;
    this.place = place;
    this.draw();
    if (focused.disabled) find("close").focus(); // a disabled button would lose the keyboard
  },

  start() {
    find("previous").addEventListener("click", () => this.move(-1));
    find("next").addEventListener("click", () => this.move(1));
    find("close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.move(-1);
      else if (event.key === "ArrowRight") this.move(1);
      else return;
      event.preventDefault();
    });
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("close", () => this.list.button(this.place).focus());
  },
};

const ORDERS = {
  surest: (a, b) => b.confidence - a.confidence,
  unsurest: (a, b) => a.confidence - b.confidence,
  name: (a, b) => String(a.name).localeCompare(String(b.name), "en", { numeric: true }),
  actual: (a, b) => a.actual - b.actual || b.confidence - a.confidence,
};

const gallery = {
  start() {
    this.form = find("filters");
    this.list = new List("gallery", 60);
    for (const id of ["actual", "predicted"]) {
      find(id).append(...facts.classes.map((name, label) => element("option", { value: label, textContent: name })));
    }
    this.form.addEventListener("input", () => this.filter());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => setTimeout(() => this.filter())); // after the fields are reset
    find("back").addEventListener("click", () => this.cell.focus());
    this.filter();
  },

  filter() {
    const [actual, predicted] = [find("actual").value, find("predicted").value];
    const [least, most] = ["least", "most"].map((id) => find(id).valueAsNumber / 100);
    const shown = pictures.filter((picture) =>
      (actual === "" || picture.actual === Number(actual)) &&
      (predicted === "" ? !isRight(picture) : picture.predicted === Number(predicted)) &&
      (actual === predicted || !isRight(picture)) &&
      !(picture.confidence < least) && !(picture.confidence > most)); // an empty field bounds nothing
    this.list.show(shown.sort(ORDERS[find("order").value]));
    const kind = actual !== "" && actual === predicted ? "right" : "wrong";
    find("found").textContent = shown.length === 0 ? "No picture is like that." :
      `${count(shown.length)} ${kind} ${shown.length === 1 ? "picture" : "pictures"}`;
  },

  open(actual, predicted, cell) {
    this.form.reset();
    find("actual").value = actual;
    find("predicted").value = predicted;
    if (actual === predicted) find("order").value = "unsurest";
    this.cell = cell;
    find("back").hidden = false;
    setTimeout(() => { // after the form's own reset
      this.filter();
      find("pictures-title").focus();
    });
  },
};

function cellButton(cell, actual, predicted) {
  const images = cell.firstChild;
  const [row, column] = [facts.classes[actual], facts.classes[predicted]];
  const before = cell.querySelector("small");
  const words = actual === predicted ? `${row} found` : `${row} taken for ${column}`;
  const button = element("button", { type: "button", tabIndex: -1 }, [images]);
  button.setAttribute("aria-label", `${images.textContent}: ${words}${before ? `; before ${before.textContent}` : ""}`);
  button.addEventListener("click", () => gallery.open(actual, predicted, button));
  cell.prepend(button);
  return button;
}

// The keyboard stops once in the matrix; from there the arrow keys lead to the next cell that has images.
function startMatrix(matrix) {
  const rows = [...matrix.tBodies[0].rows].map((row, actual) => [...row.cells].slice(1).map((cell, predicted) =>
    cell.className ? cellButton(cell, actual, predicted) : null));
  const buttons = rows.flat().filter(Boolean);
  buttons[0].tabIndex = 0;
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  matrix.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    let row = rows.findIndex((cells) => cells.includes(event.target));
    if (!step || row < 0) return;
    let column = rows[row].indexOf(event.target);
    event.preventDefault();
    do {
      row += step[0];
      column += step[1];
    } while (rows[row]?.[column] === null);
    rows[row]?.[column]?.focus();
  });
  matrix.addEventListener("focusin", (event) => {
    for (const button of buttons) button.tabIndex = button === event.target ? 0 : -1;
  });
}

function startPairs(pairs) {
  for (const row of pairs.tBodies[0].rows) {
    const [actual, predicted] = [Number(row.dataset.actual), Number(row.dataset.predicted)];
    const button = element("button", { type: "button", textContent: row.cells[2].textContent });
    button.setAttribute("aria-label", `${row.cells[2].textContent}: ${facts.classes[actual]} taken for ${facts.classes[predicted]}`);
    button.addEventListener("click", () => gallery.open(actual, predicted, button));
    row.cells[2].replaceChildren(button);
  }
}

function startComparison() {
  const known = pictures.filter((picture) => picture.before !== null);
  const wasRight = (picture) => picture.before === picture.actual;
  const changed = {
    fixed: known.filter((picture) => isRight(picture) && !wasRight(picture)).reverse(),
    broken: known.filter((picture) => !isRight(picture) && wasRight(picture)),
  };
  for (const [id, shown] of Object.entries(changed)) {
    find(`${id}-count`).textContent = count(shown.length);
    new List(id, 24).show(shown);
  }
}

// What fits is no stop for the keyboard.
function watchScrollers() {
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const isScrolled = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
      if (isScrolled) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const scroller of document.querySelectorAll(".scroller")) watch.observe(scroller);
}

document.documentElement.classList.add("scripted");
viewer.start();
gallery.start();
if (find("matrix")) startMatrix(find("matrix"));
if (find("pairs")) startPairs(find("pairs"));
if (find("fixed")) startComparison();
watchScrollers();
