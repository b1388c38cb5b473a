// Starts Swagger UI; in a file of its own because the pages' content security policy allows no script inside HTML.
window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#pages",
    deepLinking: true,
    persistAuthorization: false,
    validatorUrl: null,
    defaultModelsExpandDepth: 0,
  });
});
