// Two methods that every Buffer of Node has and @types/node leaves out. They skip the encoding look-up of
// `toString` and `write`, which the data path calls several times a request.

interface Buffer {
  latin1Slice(start?: number, end?: number): string;
  latin1Write(text: string, offset?: number, length?: number): number;
}
