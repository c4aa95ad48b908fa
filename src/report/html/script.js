
// Reads a chart's numbers at the pointer, or with the arrow keys: they come from the table below it. The page is whole
// without this.
(function () {
  "use strict";
  function ready(figure) {
    var svg = figure.querySelector("svg[data-columns]");
    var table = figure.querySelector("table");
    if (!svg || !table) { return; }
    var number = function (name) { return parseFloat(svg.getAttribute("data-" + name)); };
    var columns = number("columns"), left = number("left"), right = number("right");
    var width = number("column-s"), seconds = number("seconds");
    var heads = Array.from(table.tHead.rows[0].cells, function (cell) { return cell.textContent; });
    var rows = table.tBodies[0].rows;
    var plot = svg.parentNode, at = -1;
    var said = document.createElement("output");
    var line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    line.setAttribute("class", "reading");
    line.setAttribute("visibility", "hidden");
    line.setAttribute("y1", number("top"));
    line.setAttribute("y2", number("bottom"));
    svg.appendChild(line);
    plot.after(said);
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", "Chart; the left and right arrow keys read its numbers");
    function show(column) {
      at = Math.max(0, Math.min(columns - 1, column));
      var row = rows[at];
      if (!row) { return; }
      var middle = Math.min((at + 0.5) * width, (at * width + seconds) / 2);
      var x = left + (right - left) * middle / seconds;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.setAttribute("visibility", "visible");
      said.textContent = Array.from(row.cells, function (cell, place) {
        return heads[place] + " " + cell.textContent;
      }).join(" · ");
    }
    function hide() {
      line.setAttribute("visibility", "hidden");
      said.textContent = "";
      at = -1;
    }
    plot.addEventListener("pointermove", function (event) {
      var box = svg.getBoundingClientRect();
      var x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      show(Math.floor((x - left) / (right - left) * seconds / width));
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", function (event) {
      var step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Escape") { hide(); }
      if (step === undefined) { return; }
      event.preventDefault();
      show(at === -1 ? (step === Infinity ? columns - 1 : 0) : Math.max(0, Math.min(columns - 1, at + step)));
    });
  }
  document.querySelectorAll("figure").forEach(ready);
}());
