"use strict";
// Sorting and filtering, and details opened on paper: the page says everything without it.
(function () {
  function number(text) {
    var found = text.replace(/,/g, "").match(/^\s*[<>]?\s*([+-]?\d+(?:\.\d+)?)/);
    return found ? parseFloat(found[1]) : null;
  }
  function compare(a, b) {
    var x = number(a), y = number(b);
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x !== null ? 1 : -1;
    return a.localeCompare(b);
  }
  function sort(table, column, head) {
    var up = head.getAttribute("aria-sort") !== "ascending", body = table.tBodies[0];
    var rows = Array.prototype.slice.call(body.rows);
    rows.sort(function (one, other) {
      var found = compare(one.cells[column].textContent, other.cells[column].textContent);
      return up ? found : -found;
    });
    rows.forEach(function (row) { body.appendChild(row); });
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (cell) { cell.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
  }
  document.querySelectorAll("table.sortable").forEach(function (table) {
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      if (!head.textContent) return;
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () { sort(table, column, head); });
    });
  });
  document.querySelectorAll(".questions").forEach(function (group) {
    var form = group.querySelector(".filter"), items = group.querySelectorAll(".item");
    function filter() {
      var words = form.words.value.toLowerCase(), wrong = form.wrong.value, right = form.right.value, shown = 0;
      var kind = form.kind.value, first = items[0].dataset.seed;
      var seed = form.seed ? form.seed.value : first;
      items.forEach(function (item) {
        var lost = item.getAttribute("data-wrong-" + seed);
        item.querySelectorAll(".of-seed").forEach(function (one) {
          one.hidden = seed !== first && one.dataset.seed !== seed;
          one.open = one.dataset.seed === seed;
        });
        var fits = (!words || item.textContent.toLowerCase().indexOf(words) >= 0) &&
          (!kind || item.dataset.kinds.indexOf("|" + kind + "|") >= 0) &&
          (!wrong || lost.indexOf("|" + wrong + "|") >= 0) && (!right || lost.indexOf("|" + right + "|") < 0);
        item.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      var rest = group.querySelector(".rest");
      if (rest && (words || wrong || right || kind)) rest.open = true;
      form.querySelector("output").textContent = shown + " of " + items.length + " shown";
    }
    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
  });
  function money(value, currency) {
    if (value >= 100) return Math.round(value).toLocaleString("en") + " " + currency;
    return (value === 0 ? "0" : String(Number(value.toPrecision(2)))) + " " + currency;
  }
  document.querySelectorAll(".scenario").forEach(function (group) {
    var form = group.querySelector("form"), said = group.querySelector("output"), own = group.dataset;
    var rows = Array.prototype.slice.call(group.querySelectorAll("tbody tr"));
    var methods = rows.map(function (row) { return JSON.parse(row.dataset.figures); });
    function update() {
      var assumed = { months: Number(own.months) };
      var fits = ["queries", "updates", "price"].every(function (name) {
        assumed[name] = form[name].valueAsNumber;
        return assumed[name] >= 0;
      });
      if (!fits) { said.textContent = "Give numbers of at least 0."; return; }
      var found = costs.choose(methods, assumed, own.most ? Number(own.most) : null);
      var chosen = own.rule && !found.open ? found.place : -1, best = found.place < 0 ? null : rows[found.place];
      rows.forEach(function (row, place) {
        row.cells[2].textContent = money(costs.cost(methods[place], assumed) / assumed.months, own.currency);
        row.classList.toggle("chosen", place === chosen);
      });
      if (!own.rule) said.textContent = "Cost does not settle the choice: see its card above.";
      else if (!best) said.textContent = "No method meets the requirements.";
      else said.textContent = found.open ? "Undecided; " + best.cells[0].textContent + " leads." : "Choose " + best.cells[0].textContent + ".";
    }
    form.hidden = false;
    form.addEventListener("input", update);
    form.addEventListener("reset", function () { setTimeout(update); });
    form.addEventListener("submit", function (event) { event.preventDefault(); });
  });
  var whole = document.querySelector(".print-whole");
  if (whole) {
    whole.hidden = false;
    whole.addEventListener("click", function () {
      document.documentElement.dataset.print = "whole";
      window.addEventListener("afterprint", function () { document.documentElement.dataset.print = "summary"; }, { once: true });
      window.print();
    });
  }
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open]):not(.rest)").forEach(function (one) {
      one.open = true;
      one.setAttribute("data-printed", "");
    });
  });
  window.addEventListener("afterprint", function () {
    document.querySelectorAll("details[data-printed]").forEach(function (one) {
      one.open = false;
      one.removeAttribute("data-printed");
    });
  });
})();
