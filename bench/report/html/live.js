// A served page: asks how far the run is, says so, and loads the page anew when a cell is finished.
(function () {
  var line = document.querySelector(".live"), kept = "adaptbench" + location.pathname, PAUSE_MS = 2000;
  function keys(selector) {
    var seen = {};
    return Array.prototype.map.call(document.querySelectorAll(selector), function (one) {
      var section = one.closest("section"), group = one.closest("[id]"), head = one.querySelector("summary");
      var key = [section && section.id, group && group.id, one.name || (head && head.textContent.replace(/\d+/g, ""))].join("|");
      seen[key] = (seen[key] || 0) + 1;
      return { node: one, key: key + "|" + seen[key] };
    });
  }
  function keep() {
    var fields = {}, open = [];
    keys("main details").forEach(function (one) { if (one.node.open) open.push(one.key); });
    keys("main form input, main form select").forEach(function (one) {
      var given = one.node.tagName === "SELECT" ? !one.node.options[0] || one.node.value !== one.node.options[0].value : one.node.value !== one.node.defaultValue;
      if (given) fields[one.key] = one.node.value;
    });
    sessionStorage.setItem(kept, JSON.stringify({ open: open, fields: fields, x: window.scrollX, y: window.scrollY }));
  }
  function restore() {
    var was = JSON.parse(sessionStorage.getItem(kept) || "null");
    sessionStorage.removeItem(kept);
    if (!was) return;
    keys("main details").forEach(function (one) { if (was.open.indexOf(one.key) >= 0) one.node.open = true; });
    keys("main form input, main form select").forEach(function (one) {
      if (!(one.key in was.fields)) return;
      one.node.value = was.fields[one.key];
      one.node.dispatchEvent(new Event("input", { bubbles: true }));
    });
    window.scrollTo(was.x, was.y);
  }
  function typing() {
    var at = document.activeElement;
    return at !== null && (at.tagName === "INPUT" || at.tagName === "SELECT");
  }
  function ask() {
    fetch("state", { cache: "no-store" }).then(function (answer) {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.json();
    }).then(function (state) {
      if (line.textContent !== state.says) line.textContent = state.says;
      if (state.version !== line.dataset.version && !typing()) {
        keep();
        location.reload();
      } else if (state.going || typing()) {
        setTimeout(ask, PAUSE_MS);
      }
    }).catch(function () {
      line.textContent = "The page is no longer served; it shows what was measured until then.";
    });
  }
  history.scrollRestoration = "manual";
  restore();
  setTimeout(ask, PAUSE_MS);
})();
