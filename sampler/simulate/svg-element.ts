// The little of SVG that a chart needs. https://www.w3.org/TR/SVG2/

/** An element with its attributes; `content` is other elements. */
export function element(name: string, attributes: Readonly<Record<string, string | number>>, content = ''): string {
  const text = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? rounded(value) : escaped(value)}"`)
    .join('');
  return content === '' ? `<${name}${text}/>` : `<${name}${text}>${content}</${name}>`;
}

/** Words at a place; `style` is the name of a class. */
export function words(text: string, at: { readonly x: number; readonly y: number }, style = 'label'): string {
  return element('text', { ...at, class: style }, escaped(text));
}

export function line(x1: number, y1: number, to: { x2: number; y2: number; class: string }): string {
  return element('line', { x1, y1, ...to });
}

/** As in XML's text and in its attributes. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10);
}
