/* The sandbox's forms script: hbspt.forms.create({ portalId, formId, target }). */
(function () {
  "use strict";
  var origin = new URL(document.currentScript ? document.currentScript.src : location.href).origin;
  function cookie(name) {
    var found = document.cookie.match(new RegExp("(?:^|; )" + name + "=([^;]*)"));
    return found ? decodeURIComponent(found[1]) : undefined;
  }
  function create(options) {
    var target = document.querySelector(options.target || "body");
    var form = document.createElement("form");
    ["email", "firstname", "lastname"].forEach(function (name) {
      var input = document.createElement("input");
      input.name = name;
      input.placeholder = name;
      input.type = name === "email" ? "email" : "text";
      form.appendChild(input);
    });
    var button = document.createElement("button");
    button.textContent = "Submit";
    form.appendChild(button);
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      var fields = Array.prototype.map.call(form.querySelectorAll("input"), function (input) {
        return { name: input.name, value: input.value, objectTypeId: "0-1" };
      });
      fetch(origin + "/submissions/v3/integration/submit/" + options.portalId + "/" + options.formId, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          fields: fields,
          context: { hutk: cookie("hubspotutk"), pageUri: location.href, pageName: document.title }
        })
      }).then(function () {
        if (options.onFormSubmitted) options.onFormSubmitted(form);
        window.postMessage({ type: "hsFormCallback", eventName: "onFormSubmitted", id: options.formId }, "*");
      });
    });
    target.appendChild(form);
    if (options.onFormReady) options.onFormReady(form);
    return form;
  }
  window.hbspt = window.hbspt || {};
  window.hbspt.forms = { create: create };
})();
