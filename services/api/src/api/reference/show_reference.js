// A file of its own, because the page's Content-Security-Policy allows no inline script.
SwaggerUIBundle({
  dom_id: "#reference",
  url: "/openapi.json",
  deepLinking: true, // the address names the route that is open
  displayRequestDuration: true,
  persistAuthorization: false, // a key is forgotten with the page
  validatorUrl: null, // its default sends the document's address to another host
});
