// In a pattern of `t.match`, `[]` matches any list and `{}` any object: tap looks only at what the pattern has. A function
// matches what is an instance of it, so these two say that there is nothing.

export const noItems = patternOf('noItems', (value) => Array.isArray(value) && value.length === 0);
export const noFields = patternOf('noFields', (value) => !Array.isArray(value) && Object.keys(value).length === 0);

/** The name is what a failing test shows. */
function patternOf(name: string, isMatch: (value: object) => boolean): () => void {
  const pattern = () => undefined;
  Object.defineProperty(pattern, 'name', { value: name });
  Object.defineProperty(pattern, Symbol.hasInstance, { value: isMatch });
  return pattern;
}
