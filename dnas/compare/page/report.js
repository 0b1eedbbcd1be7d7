"use strict";
// The page is complete without this script: it adds values at the pointer, singling out a method, sorting.
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true"); // What it says is the label of the focused point.
  document.body.append(tip);

  const part = (name, text) => {
    const node = document.createElement(name);
    node.textContent = text; // Never innerHTML: names are anybody's text.
    return node;
  };

  let place = null; // Where in the window that is, of which the values are shown.

  function show(parts, where) {
    tip.replaceChildren(...parts);
    tip.hidden = false;
    place = where;
    move();
  }

  function move() {
    const [x, y] = place();
    const box = tip.getBoundingClientRect();
    const left = x + 16 + box.width > innerWidth ? x - box.width - 16 : x + 16;
    const top = Math.min(Math.max(8, y - box.height / 2), innerHeight - box.height - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${top}px`;
  }

  function hide() {
    tip.hidden = true;
    place = null;
  }

  // Focus may scroll the page, so a scroll must not end what the focus shows, unless it leaves the window.
  function scrolled() {
    if (place === null) return;
    const [, y] = place();
    if (y < 0 || y > innerHeight) hide();
    else move();
  }

  const fixed = (value, decimals) => value === null ? "–" : value.toFixed(decimals);

  const millions = (value) => {
    if (value >= 1) return `${value.toFixed(2)} M`;
    return value >= 1e-3 ? `${(1e3 * value).toFixed(2)} k` : (1e6 * value).toFixed(0);
  };

  // ---- Points: the nearest one to the pointer; arrow keys walk along a method. ----

  function describe(point, run, values) {
    const [codes, ms, low, high, top1, loss, params, madds, generation, name] = point;
    const choices = [...codes].map((code, row) => values.decisions[row][code.codePointAt(0) - values.first]);
    const span = low < high ? ` (${fixed(low, 2)} to ${fixed(high, 2)})` : "";
    const found = generation === null ? "" : `, generation ${generation}`;
    return {
      title: [name, run.method, run.run].filter(Boolean).join(", "),
      lines: [
        `${fixed(ms, 2)} ms ${values.latency}${span}`,
        `top-1 ${fixed(top1, 2)} %, loss ${fixed(loss, 3)}`,
        `${millions(params)} parameters, ${millions(madds)} multiply-adds${found}`,
      ],
      network: choices.join(" "),
    };
  }

  function points(chart, values) {
    const plot = chart.querySelector(".plot");
    const marks = [];
    let runs = 0;
    chart.querySelectorAll(".series").forEach((series) => {
      const first = marks.length;
      series.querySelectorAll(".run").forEach((group) => {
        const run = values.runs[runs++];
        [...group.children].forEach((node, index) => marks.push({ node, series, run, point: run.points[index] }));
      });
      const mine = marks.slice(first).sort((a, b) => a.point[1] - b.point[1]);
      mine.forEach((mark, place) => prepare(mark, mine, place));
    });

    function prepare(mark, mine, place) {
      const { node } = mark;
      const told = describe(mark.point, mark.run, values);
      mark.parts = () => [part("b", told.title), ...told.lines.map((line) => part("span", line)), part("code", told.network)];
      mark.x = parseFloat(node.getAttribute("x")) / 100;
      mark.y = parseFloat(node.getAttribute("y"));
      node.setAttribute("role", "img");
      node.setAttribute("aria-label", [told.title, ...told.lines, told.network].join("; "));
      node.setAttribute("tabindex", place ? "-1" : "0"); // One stop of the tab key per method.
      node.addEventListener("focus", () => select(mark));
      node.addEventListener("blur", leave);
      node.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        const next = step && mine[place + step];
        if (next) {
          event.preventDefault();
          next.node.focus();
        }
      });
    }

    const reach = document.createElementNS(plot.namespaceURI, "line");
    reach.setAttribute("class", "reach");

    let here = null;
    function leave() {
      here?.node.classList.remove("here");
      reach.remove();
      here = null;
      hide();
    }
    function select(mark) {
      leave();
      here = mark;
      mark.node.classList.add("here");
      const [, , low, high] = mark.point;
      const across = (ms) => `${100 * (ms - values.low) / (values.high - values.low)}%`;
      if (low < high) {
        reach.setAttribute("x1", across(low));
        reach.setAttribute("x2", across(high));
        reach.setAttribute("y1", mark.y);
        reach.setAttribute("y2", mark.y);
        plot.append(reach);
      }
      show(mark.parts(), () => {
        const box = plot.getBoundingClientRect();
        return [box.left + mark.x * box.width, box.top + mark.y];
      });
    }
    function nearest(event) {
      const box = plot.getBoundingClientRect();
      let best = null;
      let least = event.pointerType === "mouse" ? 24 : 40;
      for (const mark of marks) {
        if (mark.series.classList.contains("dim")) continue;
        const away = Math.hypot(box.left + mark.x * box.width - event.clientX, box.top + mark.y - event.clientY);
        if (away < least) [best, least] = [mark, away];
      }
      if (best === null) leave();
      else if (best !== here) select(best);
    }
    chart.addEventListener("pointermove", nearest);
    chart.addEventListener("pointerdown", nearest);
    chart.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") leave(); });
  }

  // ---- Step curves: a rule at the pointer and what every method has there; arrow keys move it. ----

  function held(curve, x) {
    let value = null;
    for (const [corner, y] of curve) {
      if (corner > x) break;
      value = y;
    }
    return value;
  }

  function lines(chart, values) {
    const plot = chart.querySelector(".plot");
    const rule = document.createElementNS(plot.namespaceURI, "line");
    rule.setAttribute("class", "rule");
    rule.setAttribute("y1", "0");
    rule.setAttribute("y2", "100%");
    let share = 0.5;

    function told(x) {
      return values.lines.map(({ name, curves }) => {
        const [main, worst, best] = curves.map((curve) => fixed(held(curve, x), values.decimals));
        return `${name}: ${main}${best === undefined || worst === best ? "" : ` (${worst} to ${best})`}`;
      });
    }
    function select(next, y = plot.clientHeight / 2) {
      share = Math.min(Math.max(next, 0), 1);
      const x = values.low + share * (values.high - values.low);
      const title = `${x.toFixed(values.unit === "ms" ? 2 : 0)} ${values.unit}`;
      rule.setAttribute("x1", `${100 * share}%`);
      rule.setAttribute("x2", `${100 * share}%`);
      plot.append(rule);
      plot.setAttribute("aria-valuetext", [title, ...told(x)].join("; "));
      plot.setAttribute("aria-valuenow", x.toFixed(2));
      show([part("b", title), ...told(x).map((line) => part("span", line))], () => {
        const box = plot.getBoundingClientRect();
        return [box.left + share * box.width, box.top + y];
      });
    }
    function leave() {
      rule.remove();
      hide();
    }
    const point = (event) => {
      const box = plot.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width;
      if (x < -0.02 || x > 1.02) leave();
      else select(x, event.clientY - box.top);
    };
    plot.setAttribute("tabindex", "0");
    plot.setAttribute("role", "slider");
    plot.setAttribute("aria-valuemin", values.low.toFixed(2));
    plot.setAttribute("aria-valuemax", values.high.toFixed(2));
    plot.setAttribute("aria-valuenow", ((values.low + values.high) / 2).toFixed(2));
    plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) select(share); });
    plot.addEventListener("blur", leave);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 0.01, ArrowUp: 0.01, ArrowLeft: -0.01, ArrowDown: -0.01 }[event.key];
      if (step) {
        event.preventDefault();
        select(share + step);
      }
    });
    chart.addEventListener("pointermove", point);
    chart.addEventListener("pointerdown", point);
    chart.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") leave(); });
  }

  const kinds = { points, lines };
  document.querySelectorAll(".chart").forEach((chart) => {
    const source = chart.querySelector("script.values");
    if (source) {
      const values = JSON.parse(source.textContent);
      kinds[values.kind](chart, values);
    }
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", scrolled, { passive: true });

  // ---- A click on a method in a legend singles it out everywhere; a second click shows all again. ----

  let single = null;
  function singleOut(series) {
    single = series === single ? null : series;
    document.querySelectorAll("[data-m]").forEach((node) => {
      node.classList.toggle("dim", single !== null && node.dataset.m !== single);
    });
    document.querySelectorAll(".legend button").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.m === single));
    });
  }
  document.querySelectorAll(".legend .key").forEach((key) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.m = key.dataset.m;
    button.setAttribute("aria-pressed", "false");
    button.append(...key.childNodes);
    button.addEventListener("click", () => singleOut(button.dataset.m));
    key.replaceWith(button);
  });

  // ---- Sorting: numbers by value, text by name, missing values last. ----

  function compare(column, sign) {
    const text = (row) => row.cells[column].textContent.trim();
    return (one, other) => {
      const [a, b] = [text(one), text(other)];
      const [x, y] = [a, b].map((cell) => parseFloat(cell.replaceAll(",", "")));
      if (Number.isNaN(x) || Number.isNaN(y)) {
        if (Number.isNaN(x) && Number.isNaN(y)) return sign * a.localeCompare(b);
        return Number.isNaN(x) ? 1 : -1;
      }
      return sign * (x - y);
    };
  }
  document.querySelectorAll("table.sortable").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = part("button", head.textContent);
      button.type = "button";
      button.addEventListener("click", () => {
        const rising = head.getAttribute("aria-sort") !== "ascending";
        [...table.tHead.rows[0].cells].forEach((cell) => cell.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare(column, rising ? 1 : -1)));
      });
      head.replaceChildren(button);
    });
  });
})();
