/* The sandbox's tracking code. Calls of _hsq are executed in order and reported to the portal. */
(function () {
  "use strict";
  var portal = "__PORTAL__";
  var origin = new URL(document.currentScript ? document.currentScript.src : location.href).origin;
  var identity = {};
  var path = null;
  var counted = false;
  var off = false;

  function cookie(name) {
    var found = document.cookie.match(new RegExp("(?:^|; )" + name + "=([^;]*)"));
    return found ? decodeURIComponent(found[1]) : "";
  }
  function keep(name, value, days) {
    document.cookie = name + "=" + encodeURIComponent(value) + "; path=/; SameSite=Lax; max-age=" + days * 86400;
  }
  function visitor() {
    var known = cookie("hubspotutk");
    if (!known) {
      known = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".replace(/x/g, function () {
        return Math.floor(Math.random() * 16).toString(16);
      });
      keep("hubspotutk", known, 180);
      keep("__hstc", "1." + known + "." + Date.now(), 180);
    }
    keep("__hssc", "1.1." + Date.now(), 1);
    keep("__hssrc", "1", 1);
    return known;
  }
  function report(kind, more) {
    if (off) return;
    var query = new URLSearchParams({ k: kind, a: portal, vi: visitor(), cts: String(Date.now()) });
    Object.keys(more).forEach(function (name) { query.set(name, more[name]); });
    // What identify said goes with the next page view or event, in one request: nothing can overtake it.
    if (Object.keys(identity).length) query.set("i", JSON.stringify(identity));
    identity = {};
    new Image().src = origin + "/__ptq.gif?" + query.toString();
  }
  function page() {
    var url = path === null ? location.href : new URL(path, location.origin).href;
    report("1", { pu: url, t: document.title, r: document.referrer });
    counted = true;
  }
  var calls = {
    setPath: function (value) { path = value; },
    setContentType: function () {},
    setTrackingDomain: function () {},
    identify: function (values) { Object.assign(identity, values || {}); },
    trackPageView: function () { page(); },
    trackCustomBehavioralEvent: function (event) {
      if (event && event.name) report("event", { n: event.name, p: JSON.stringify(event.properties || {}) });
    },
    trackEvent: function (event) {
      if (event && event.id) report("event", { n: String(event.id), p: JSON.stringify({ value: event.value }) });
    },
    doNotTrack: function (options) { off = !(options && options.track); },
    revokeCookieConsent: function () { off = true; },
    addPrivacyConsentListener: function (listener) {
      listener({ allowed: !off, categories: { necessary: true, analytics: !off, advertisement: !off, functionality: !off } });
    },
    addIdentityListener: function (listener) { listener(cookie("__hstc"), cookie("hubspotutk")); }
  };
  function execute(call) {
    if (typeof call === "function") { call(); return; }
    var work = call && calls[call[0]];
    if (work) work.apply(null, Array.prototype.slice.call(call, 1));
  }
  var waiting = window._hsq || [];
  window._hsq = { push: function () { Array.prototype.forEach.call(arguments, execute); } };
  window._hstc_loaded = window._hstc_ran = true;
  if (window.__hs_taken) return;
  window.__hs_taken = true;
  waiting.forEach(execute);
  if (!counted) page();
})();
