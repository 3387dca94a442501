// Names for what the theme leaves without one, and regions that scroll within reach of the keyboard.
"use strict";
const name = () => {
  document.querySelectorAll(".md-search[role=dialog]").forEach((one) => one.setAttribute("aria-label", "Search"));
  document.querySelectorAll(".md-code__nav").forEach((one, place) => one.setAttribute("aria-label", `Code ${place + 1}`));
  document.querySelectorAll("pre > code, .md-typeset__scrollwrap").forEach((one) => { one.tabIndex = 0; });
};
name();
new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
