// Holds objects (JSON, on standard input) to the schemas of custom resources: node custom.mjs NODE_MODULES
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const PACKAGES = {
  "gateway.networking.k8s.io": "gateway-api",
  "security.istio.io": "istio",
  "monitoring.coreos.com": "prometheus-operator",
};

for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  const [group, version] = object.apiVersion.split("/");
  const place = join(process.argv[2], "@kubernetes-models", PACKAGES[group], group, version, "index.js");
  const kinds = await import(pathToFileURL(place));
  new kinds[object.kind](object).validate();
  console.log(`${object.kind} ${object.metadata.name}`);
}
