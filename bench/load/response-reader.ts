// Reads one expected HTTP/1.1 response: status 200, Content-Length, the expected body. All the load generator needs,
// and everything else is a failure of the run.

const HEAD_END = '\r\n\r\n';
const MOST_HEAD_BYTES = 16 * 1024;

export class ResponseReader {
  readonly #expectedBody: string;
  #received = '';
  #bodyAt = -1;
  complete = false;

  // The expected body is compared byte for byte (latin1).
  constructor(expectedBody: string) {
    this.#expectedBody = expectedBody;
  }

  // Takes the next bytes. Returns what is wrong with the response, or '' while nothing is.
  read(bytes: Buffer): string {
    if (this.complete) return 'bytes after the response';
    this.#received += bytes.latin1Slice(0, bytes.length);
    if (this.#bodyAt < 0) {
      const headEnd = this.#received.indexOf(HEAD_END);
      if (headEnd < 0) return this.#received.length > MOST_HEAD_BYTES ? 'the response head does not end' : '';
      const problem = this.#headProblem(this.#received.slice(0, headEnd));
      if (problem !== '') return problem;
      this.#bodyAt = headEnd + HEAD_END.length;
    }
    const bodyLength = this.#received.length - this.#bodyAt;
    if (bodyLength < this.#expectedBody.length) return '';
    if (bodyLength > this.#expectedBody.length) return 'bytes after the response';
    this.complete = true;
    return this.#received.endsWith(this.#expectedBody) ? '' : 'the body differs';
  }

  reset(): void {
    this.#received = '';
    this.#bodyAt = -1;
    this.complete = false;
  }

  #headProblem(head: string): string {
    if (!head.startsWith('HTTP/1.1 200')) return `not a 200: ${head.split('\r\n', 1)[0]}`;
    const length = /^content-length: *(\d+)\r?$/im.exec(head)?.[1];
    if (length !== String(this.#expectedBody.length)) return `content-length is ${length ?? 'missing'}`;
    return '';
  }
}
