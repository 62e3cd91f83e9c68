// Which of two formats a client wants, by its Accept header (RFC 9110, section 12.5.1).

/**
 * Whether OpenMetrics is wanted rather than the older text format. Prometheus names both, the one it likes better with
 * the higher weight; who names neither gets what Envoy gives.
 */
export function prefersOpenMetrics(accept: string): boolean {
  let openMetrics = 0;
  let text: number | undefined;
  let anything = 0;
  for (const item of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim());
    const weight = weightOf(parameters);
    if (type === 'application/openmetrics-text' && isKnownVersion(parameters)) {
      openMetrics = Math.max(openMetrics, weight);
    } else if (type === 'text/plain') {
      text = Math.max(text ?? 0, weight);
    } else if (type === 'text/*' || type === '*/*') {
      anything = Math.max(anything, weight);
    }
  }
  return openMetrics > 0 && openMetrics >= (text ?? anything);
}

function weightOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  if (weight === undefined) return 1;
  const value = Number(weight.slice(2));
  return value >= 0 && value <= 1 ? value : 0;
}

function isKnownVersion(parameters: readonly string[]): boolean {
  const version = parameters.find((parameter) => parameter.startsWith('version='));
  return version === undefined || ['version=1.0.0', 'version=0.0.1'].includes(version.replaceAll('"', ''));
}
