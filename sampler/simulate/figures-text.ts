// Figures as people read them.

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `+1.2 %` */
export function signedPercent(share: number, decimals = 1): string {
  return `${share < 0 ? '−' : '+'}${(Math.abs(share) * 100).toFixed(decimals)} %`;
}

/** `97 %`, and `100 %` only when nothing is missing. */
export function percentOf(part: number, whole: number): string {
  if (whole === 0) return '–';
  const percent = (part / whole) * 100;
  return `${part < whole ? Math.min(percent, 99.9).toFixed(percent >= 10 && percent < 99 ? 0 : 1) : '100'} %`;
}

export function bytesText(bytes: number): string {
  const [value, unit] = bytes < 2 ** 20 ? [bytes / 2 ** 10, 'KiB'] : [bytes / 2 ** 20, 'MiB'];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}
