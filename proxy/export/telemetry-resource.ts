// Whose telemetry it is: the resource of OpenTelemetry. The environment is read by the detectors of OpenTelemetry's SDK, so that
// it means what it means to every other program of the pod.
//
// Of the SDK only its detectors are loaded: `sdk-node` as a whole takes ten times their time and six times their memory, for
// exporters and providers that are not used (bench/FINDINGS.md, "Spans: SDK or direct"). Its detector of the process is left
// out: command lines hold configuration.
// https://opentelemetry.io/docs/specs/semconv/resource/

import { hostDetector, resourceAttributesEnvDetector, serviceNameEnvDetector } from '@opentelemetry/resources';
import type { TelemetryResource } from '../../config/telemetry-service.ts';
import { bytesField } from './protobuf-field.ts';
import { keyValue } from './trace-request.ts';

export type ResourceAttributes = ReadonlyMap<string, string>;

export interface ResourceFacts {
  /** Of the configuration; empty when it says nothing. */
  readonly serviceName: string;
  readonly resource: TelemetryResource;
  readonly node: { readonly id: string; readonly cluster: string };
  readonly version: string;
}

/**
 * As in Envoy, what detectors find wins over the name of the configuration, and static attributes over the environment. Where
 * the configuration names no service, OTEL_SERVICE_NAME does, then the node's cluster.
 */
export function processResource({ serviceName, resource, node, version }: ResourceFacts): ResourceAttributes {
  const attributes = new Map([
    ['telemetry.sdk.language', 'nodejs'],
    ['telemetry.sdk.name', 'outrigger'],
    ['telemetry.sdk.version', version],
    ...detected(hostDetector, ['host.name']),
  ]);
  if (node.id !== '') attributes.set('service.instance.id', node.id);
  const [[, fromEnvironment] = ['', '']] = serviceName === '' ? detected(serviceNameEnvDetector, [serviceNameKey]) : [];
  attributes.set(serviceNameKey, serviceName || fromEnvironment || node.cluster || 'unknown_service:outrigger');
  for (const [key, value] of resourceAttributes(resource)) attributes.set(key, value);
  return attributes;
}

/** What a configuration adds: OTEL_RESOURCE_ATTRIBUTES where it asks for them, and its own. */
export function resourceAttributes({ fromEnvironment, attributes }: TelemetryResource): ResourceAttributes {
  return new Map([...(fromEnvironment ? detected(resourceAttributesEnvDetector) : []), ...attributes]);
}

/** The bytes of a `Resource`. */
export function resourceMessage(attributes: ResourceAttributes): Uint8Array {
  return Buffer.concat([...attributes].map(([key, value]) => bytesField(1, keyValue(key, value))));
}

const serviceNameKey = 'service.name';

interface Detector {
  detect(config?: object): { readonly attributes?: Readonly<Record<string, unknown>> };
}

/** What is text and there at once, of the names given. */
function detected(detector: Detector, names?: readonly string[]): [string, string][] {
  const attributes = Object.entries(detector.detect({}).attributes ?? {});
  return attributes.filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string' && (names === undefined || names.includes(pair[0])),
  );
}
