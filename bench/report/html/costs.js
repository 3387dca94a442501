"use strict";
// What methods cost under other assumptions, and what the rule then chooses: as bench/analysis/decision does it.
var costs = (function () {
  function cost(method, assumed) {
    var compute = method.search + method.production + assumed.months *
      (assumed.updates * method.refresh + assumed.queries * method.query);
    return assumed.price * compute + method.once + assumed.months * method.monthly;
  }
  // Place of the choice among methods, the best first; -1 where none meets the requirements. Where another of those that
  // are as good may be better by more than the margin, the best of them merely leads.
  function choose(methods, assumed, most) {
    var able = [], tied, chosen = -1, least = Infinity;
    methods.forEach(function (method, place) {
      if (method.able && (most === null || cost(method, assumed) / assumed.months <= most)) able.push(place);
    });
    tied = able.filter(function (place) { return methods[able[0]].differs.indexOf(place) < 0; });
    tied.forEach(function (place) {
      var own = cost(methods[place], assumed);
      if (own < least) { chosen = place; least = own; }
    });
    var open = chosen >= 0 && tied.some(function (place) { return methods[chosen].rivals.indexOf(place) >= 0; });
    return { place: open ? tied[0] : chosen, open: open };
  }
  return { cost: cost, choose: choose };
})();
