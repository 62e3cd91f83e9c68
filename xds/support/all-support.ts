// Every support table in one lookup, in the order in which the documentation prints them.

import { accessLogSupport } from './access-log-support.ts';
import { bootstrapSupport } from './bootstrap-support.ts';
import { clusterSupport } from './cluster-support.ts';
import { configSourceSupport } from './config-source-support.ts';
import { coreSupport } from './core-support.ts';
import { httpSupport } from './http-support.ts';
import { istioSupport } from './istio-support.ts';
import { listenerSupport } from './listener-support.ts';
import { resourceSupport } from './resource-support.ts';
import { routeSupport } from './route-support.ts';
import type { SupportTable } from './support-table.ts';
import { tlsSupport } from './tls-support.ts';
import { tracingSupport } from './tracing-support.ts';

/** A chapter of the support documentation: a title and its messages. */
export interface SupportChapter {
  readonly title: string;
  readonly messages: SupportTable;
}

export const supportChapters: readonly SupportChapter[] = [
  { title: 'Bootstrap', messages: bootstrapSupport },
  { title: 'Listeners and TCP proxy', messages: listenerSupport },
  { title: 'HTTP connection manager', messages: httpSupport },
  { title: 'Routes', messages: routeSupport },
  { title: 'Clusters and endpoints', messages: clusterSupport },
  { title: 'Configuration sources', messages: configSourceSupport },
  { title: 'TLS', messages: tlsSupport },
  { title: 'Resources of control planes', messages: resourceSupport },
  { title: 'Tracing and where telemetry goes', messages: tracingSupport },
  { title: 'Access logs', messages: accessLogSupport },
  { title: "Istio's filters", messages: istioSupport },
  { title: 'Shared messages', messages: coreSupport },
];

/** Tables by full message name. */
export const supportTable: SupportTable = Object.assign({}, ...supportChapters.map((chapter) => chapter.messages));
