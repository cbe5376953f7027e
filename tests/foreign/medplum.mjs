// Calls a CDS service as Medplum's client does: discovery, prefetch read from a FHIR server, the call.
// Argument: JSON with `service` (base address), `fhir` (address of the FHIR server), `hook`, `context`, `token`.
// Prints JSON: the services found, and the answer or the error.
// Node before 22 has no WebSocket, which the library names when it is loaded and does not use here.
globalThis.WebSocket ??= class extends EventTarget {};
const { MedplumClient, buildCdsRequest } = await import('@medplum/core');

const asked = JSON.parse(process.argv[2]);
const [userType, userId] = asked.context.userId.split('/');

function client(token) {
  const medplum = new MedplumClient({
    baseUrl: asked.service,
    fhirUrlPath: asked.fhir,
    cdsServicesUrl: `${asked.service}/cds-services`,
    cacheTime: 0,
    maxRetries: 0,
  });
  if (token) {
    medplum.setAccessToken(token);
  }
  return medplum;
}

const found = (await client().getCdsServices()).services;
const service = found.find((one) => one.id === asked.id && one.hook === asked.hook);
const request = await buildCdsRequest(client(), { resourceType: userType, id: userId }, service, asked.context);
const result = { services: found.map((one) => `${one.id} ${one.hook}`) };
try {
  result.answer = await client(asked.token).callCdsService(service.id, request);
} catch (error) {
  result.error = error.outcome ?? String(error);
}
console.log(JSON.stringify(result));
